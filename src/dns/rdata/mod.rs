//! Record data between text and wire.
