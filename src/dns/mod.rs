//! The words of the DNS: names, types, classes, codes, and record data between wire and text.

pub mod name;
pub mod rdata;
pub mod rtype;

pub use name::Name;
pub use rtype::RecordType;
