//! How the traffic of one model is split between its versions: which request belongs to whom, and how its answer
//! says so. Nothing here decides about versions, and nothing here counts.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `settings` | what the control plane wants, checked |
//! | `bucket` | from salt and key to one of 10,000 buckets |
//! | `key` | what may be a routing key |
//! | `caller` | what a request's metadata says of its caller; request ids |
//! | `split` | who answers a request: by override, by key, by chance |
//! | `assignment` | what a request is for its trial, from its arrival to its end |
//! | `served` | what an answer says of it |
//!
//! Requests that name a version or a label are never split. docs/reference/traffic-assignment.md says how any program
//! in any language comes to the same assignment.

mod assignment;
mod bucket;
mod caller;
mod key;
mod served;
mod settings;
mod split;

pub use assignment::{Arm, Assignment, Reason, Stage};
pub use bucket::{BUCKETS, bucket_of};
pub(crate) use caller::VERSION;
pub use caller::{Caller, RequestId};
pub(crate) use key::EXAMPLE_BYTES_MAX;
pub use key::{KEY_BYTES_MAX, Key};
pub use served::{Served, answer_header_names};
pub use settings::{BucketRange, Remembering, ShadowSettings, Tolerance, TrafficSettings};
pub use split::Asker;
pub(crate) use split::Split;
