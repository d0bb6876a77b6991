//! The rules of control, as tables.
