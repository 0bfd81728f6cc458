//! A graph that runs. Knows operations and tensors, nothing of signatures.

use super::{
    library::{Api, TfBuffer, TfGraph, TfOperation, TfOutput, TfSession, TfSessionOptions, c_count},
    status::Status,
    tensor::Tensors,
};
use crate::{
    error::Error,
    runtime::{Placement, RunOptions},
    wire,
};
use prost::Message;
use std::{
    borrow::Cow,
    ffi::{CStr, CString, c_char},
    ptr, slice,
    time::Duration,
};

/// `RunOptions { inter_op_thread_pool: -1 }` as bytes: the calling thread runs the graph.
const IN_CALLER: [u8; 11] = [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

/// `RunOptions {}` as bytes: TensorFlow's pool runs the graph.
const IN_POOL: [u8; 0] = [];

/// What holds a variable in a graph of TensorFlow 2, and of TensorFlow 1.
const VARIABLE_OPERATIONS: [&CStr; 3] = [c"VarHandleOp", c"VariableV2", c"Variable"];

struct Graph {
    api: &'static Api,
    pointer: *mut TfGraph,
}

impl Graph {
    fn new(api: &'static Api) -> Self {
        // SAFETY: no conditions; what it returns is ours until `drop`.
        Self { api, pointer: unsafe { (api.new_graph)() } }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: ours; the session that used it is gone.
        unsafe { (self.api.delete_graph)(self.pointer) }
    }
}

struct SessionOptions {
    api: &'static Api,
    pointer: *mut TfSessionOptions,
}

impl SessionOptions {
    fn new(api: &'static Api, config: &[u8]) -> Result<Self, Error> {
        // SAFETY: no conditions; what it returns is ours until `drop`.
        let options = Self { api, pointer: unsafe { (api.new_session_options)() } };
        let mut status = Status::new(api);
        // SAFETY: both are alive; the bytes are read during the call.
        unsafe { (api.set_config)(options.pointer, config.as_ptr().cast(), config.len(), status.pointer()) };
        status.check().map(|()| options)
    }
}

impl Drop for SessionOptions {
    fn drop(&mut self) {
        // SAFETY: ours; sessions keep a copy of what they need.
        unsafe { (self.api.delete_session_options)(self.pointer) }
    }
}

/// A part of a graph to run.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// What is fed.
    pub(super) feeds: &'a [TfOutput],
    /// One tensor for each of these.
    pub(super) inputs: &'a Tensors,
    /// What is answered.
    pub(super) fetches: &'a [TfOutput],
    /// Operations that are run, too.
    pub(super) targets: &'a [*const TfOperation],
}

impl<'a> Part<'a> {
    /// What these fetches depend on.
    pub(super) fn of(feeds: &'a [TfOutput], inputs: &'a Tensors, fetches: &'a [TfOutput]) -> Self {
        Self { feeds, inputs, fetches, targets: &[] }
    }
}

/// A session and its graph. The graph is freed after the session: fields are dropped after `drop` below.
pub(super) struct Session {
    api: &'static Api,
    pointer: *mut TfSession,
    graph: Graph,
}

// SAFETY: TensorFlow's sessions and graphs may be used by any thread, and by several at once.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

/// Makes TensorFlow's threads in this process, by running a graph that does nothing.
pub(super) fn start_threads(api: &'static Api, config: &[u8]) -> Result<(), Error> {
    let (graph, options) = (Graph::new(api), SessionOptions::new(api, config)?);
    let mut status = Status::new(api);
    // SAFETY: everything that is passed is alive; the names are terminated strings.
    let operation = unsafe {
        let description = (api.new_operation)(graph.pointer, c"NoOp".as_ptr(), c"start".as_ptr());
        (api.finish_operation)(description, status.pointer())
    };
    status.check()?;
    // SAFETY: as above.
    let pointer = unsafe { (api.new_session)(graph.pointer, options.pointer, status.pointer()) };
    status.check()?;
    let session = Session { api, pointer, graph };
    let target = operation.cast_const();
    // SAFETY: as above; there are no inputs and outputs, and one target.
    unsafe {
        (api.session_run)(
            session.pointer,
            ptr::null(),
            ptr::null(),
            ptr::null(),
            0,
            ptr::null(),
            ptr::null_mut(),
            0,
            &raw const target,
            1,
            ptr::null_mut(),
            status.pointer(),
        );
    }
    status.check()
}

impl Session {
    /// Loads the graph with exactly these tags, restores its variables and runs its initializer, all of it in the
    /// calling thread; answers the session and the graph's description, a `MetaGraphDef` as bytes.
    pub(super) fn load(
        api: &'static Api,
        config: &[u8],
        path: &CString,
        tags: &[CString],
    ) -> Result<(Self, Vec<u8>), Error> {
        let (graph, options) = (Graph::new(api), SessionOptions::new(api, config)?);
        let tags: Vec<*const c_char> = tags.iter().map(|tag| tag.as_ptr()).collect();
        let run_options = TfBuffer::lending(&IN_CALLER);
        let mut description = Description::new(api);
        let mut status = Status::new(api);
        // SAFETY: everything that is passed is alive during the call; the strings are terminated.
        let pointer = unsafe {
            (api.load_session)(
                options.pointer,
                &raw const run_options,
                path.as_ptr(),
                tags.as_ptr(),
                c_count(tags.len()),
                graph.pointer,
                description.pointer,
                status.pointer(),
            )
        };
        status.check()?;
        Ok((Self { api, pointer, graph }, description.take()))
    }

    /// The tensor that the graph calls `name`: an operation's name and, after a colon, the number of its output.
    pub(super) fn tensor(&self, name: &str) -> Result<TfOutput, Error> {
        let (operation_name, index) = match name.rsplit_once(':').map(|(front, back)| (front, back.parse())) {
            Some((front, Ok(index))) => (front, index),
            _ => (name, 0),
        };
        let operation = self
            .find(operation_name)
            .ok_or_else(|| Error::not_found(format!("the graph has no tensor {name:?}")))?;
        // SAFETY: an operation of a graph that is alive.
        let count = unsafe { (self.api.operation_num_outputs)(operation) };
        if !(0..count).contains(&index) {
            return Err(Error::invalid_argument(format!(
                "the graph has no tensor {name:?}: the operation has {count} outputs"
            )));
        }
        Ok(TfOutput { operation, index })
    }

    /// The operation that the graph calls `name`.
    pub(super) fn operation(&self, name: &str) -> Result<*const TfOperation, Error> {
        let operation = self.find(name);
        let found =
            operation.ok_or_else(|| Error::not_found(format!("the graph has no operation {name:?}")))?;
        Ok(found.cast_const())
    }

    fn find(&self, operation_name: &str) -> Option<*mut TfOperation> {
        let c_name = CString::new(operation_name).ok()?;
        // SAFETY: the graph is alive; the name is a terminated string.
        let operation = unsafe { (self.api.graph_operation_by_name)(self.graph.pointer, c_name.as_ptr()) };
        (!operation.is_null()).then_some(operation)
    }

    /// Whether the graph holds state that an export keeps beside it.
    pub(super) fn has_variables(&self) -> bool {
        let mut position = 0;
        loop {
            // SAFETY: the graph is alive and not changed; the position is one that the function itself left.
            let operation = unsafe { (self.api.graph_next_operation)(self.graph.pointer, &raw mut position) };
            if operation.is_null() {
                return false;
            }
            // SAFETY: a terminated string that lives as long as the graph.
            let kind = unsafe { CStr::from_ptr((self.api.operation_type)(operation)) };
            if VARIABLE_OPERATIONS.contains(&kind) {
                return true;
            }
        }
    }

    /// Runs a part of the graph; one answer for each of its fetches.
    pub(super) fn run(&self, options: RunOptions, part: Part<'_>) -> Result<Tensors, Error> {
        let Part { feeds, inputs, fetches, targets } = part;
        if feeds.len() != inputs.len() {
            return Err(Error::internal("a graph needs one tensor for each feed"));
        }
        let serialized = run_options(options);
        let buffer = TfBuffer::lending(&serialized);
        let mut answers = Tensors::room(self.api, fetches.len());
        let mut status = Status::new(self.api);
        // SAFETY: the session and all that is passed are alive during the call; the lengths are those of the
        // arrays; outputs and operations are of this session's graph.
        unsafe {
            (self.api.session_run)(
                self.pointer,
                &raw const buffer,
                feeds.as_ptr(),
                inputs.as_ptr(),
                c_count(feeds.len()),
                fetches.as_ptr(),
                answers.as_mut_ptr(),
                c_count(fetches.len()),
                targets.as_ptr(),
                c_count(targets.len()),
                ptr::null_mut(),
                status.pointer(),
            );
        }
        status.check().map(|()| answers)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut status = Status::new(self.api);
        // SAFETY: ours; no run is in progress, for it would hold a reference. A failure to close leaves nothing
        // that could be done about it, and the session is freed all the same.
        unsafe {
            (self.api.close_session)(self.pointer, status.pointer());
            (self.api.delete_session)(self.pointer, status.pointer());
        }
    }
}

/// Where loading leaves the graph's description.
struct Description {
    api: &'static Api,
    pointer: *mut TfBuffer,
}

impl Description {
    fn new(api: &'static Api) -> Self {
        // SAFETY: no conditions; what it returns is ours until `drop`.
        Self { api, pointer: unsafe { (api.new_buffer)() } }
    }

    fn take(&mut self) -> Vec<u8> {
        // SAFETY: the buffer is alive and nobody else's.
        let buffer = unsafe { &*self.pointer };
        if buffer.data.is_null() {
            return Vec::new();
        }
        // SAFETY: that many bytes, which live as long as the buffer; they are copied at once.
        unsafe { slice::from_raw_parts(buffer.data.cast::<u8>(), buffer.length) }.to_vec()
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody uses it after this.
        unsafe { (self.api.delete_buffer)(self.pointer) }
    }
}

/// TensorFlow's `RunOptions` as bytes.
fn run_options(options: RunOptions) -> Cow<'static, [u8]> {
    match (options.placement, options.timeout) {
        (Placement::Caller, _) => Cow::Borrowed(&IN_CALLER),
        (Placement::Pool, None) => Cow::Borrowed(&IN_POOL),
        (Placement::Pool, Some(timeout)) => Cow::Owned(
            wire::tensorflow::RunOptions { timeout_in_ms: milliseconds(timeout), inter_op_thread_pool: 0 }
                .encode_to_vec(),
        ),
    }
}

/// A timeout as TensorFlow takes it, where zero would mean none.
fn milliseconds(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialized_run_options_are_what_the_message_says() {
        let in_caller = wire::tensorflow::RunOptions { inter_op_thread_pool: -1, timeout_in_ms: 0 };
        assert_eq!(in_caller.encode_to_vec(), IN_CALLER);
        assert_eq!(wire::tensorflow::RunOptions::default().encode_to_vec(), IN_POOL);
    }

    #[test]
    fn a_timeout_is_never_rounded_down_to_none() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_micros(900)), 1);
        assert_eq!(milliseconds(Duration::from_secs(2)), 2000);
        assert_eq!(milliseconds(Duration::MAX), i64::MAX);
    }
}
