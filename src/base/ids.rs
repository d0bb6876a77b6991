//! Dense ids: strings stop at link time; behind it everything is an index.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $repr);

        impl $name {
            /// The id as an index.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A region of the model, below [`crate::base::limits::REGIONS_MAX`].
    RegionId(u8)
);
id!(
    /// A service of the model.
    ServiceId(u32)
);
id!(
    /// An endpoint: one address (or record list) of a service in a region.
    EndpointId(u32)
);
id!(
    /// A service in one of its regions.
    PartId(u32)
);
id!(
    /// A health check of the model.
    CheckId(u32)
);
id!(
    /// A policy of the model.
    PolicyId(u32)
);
id!(
    /// A map of the model: which clients prefer which regions.
    GeomapId(u32)
);
