//! The messages of ../../../proto, generated at build time. Nothing is written by hand here.

// Generated code follows its generator's habits, not ours.
#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::doc_lazy_continuation)]

/// `package tensorflow`: tensors, signatures, options.
pub mod tensorflow {
    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));
    /// `package tensorflow.error`: canonical codes.
    pub mod error {
        include!(concat!(env!("OUT_DIR"), "/tensorflow.error.rs"));
    }
    /// `package tensorflow.serving`: the services' requests and responses, and the configuration.
    pub mod serving {
        include!(concat!(env!("OUT_DIR"), "/tensorflow.serving.rs"));
    }
}

/// Every file of ../../../proto and what it imports, as a serialized `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
