//! The C API's functions, found at run time in the libraries of an installed TensorFlow wheel.
//!
//! Types and signatures are those of TensorFlow's `c_api.h`, `tf_tensor.h` and `tf_tstring.h`.

use crate::error::Error;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    path::Path,
};

/// In the order of opening: the second needs the first.
const LIBRARIES: [&str; 2] = ["libtensorflow_framework.so.2", "libtensorflow_cc.so.2"];

const INSTALL: &str = "install it with `pip install understudy[tensorflow]`, or name the `tensorflow` folder of \
                       another installation";

macro_rules! opaque {
    ($($name:ident),+) => {$(
        #[repr(C)]
        pub(super) struct $name {
            _private: [u8; 0],
        }
    )+};
}
opaque!(TfStatus, TfTensor, TfGraph, TfSession, TfSessionOptions, TfOperation, TfOperationDescription);

/// `TF_Buffer`: bytes, and who frees them. One that we make borrows its bytes and frees nothing.
#[repr(C)]
pub(super) struct TfBuffer {
    pub(super) data: *const c_void,
    pub(super) length: usize,
    pub(super) deallocator: Option<unsafe extern "C" fn(*mut c_void, usize)>,
}

impl TfBuffer {
    /// Lends `bytes` to a call.
    pub(super) fn lending(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr().cast(), length: bytes.len(), deallocator: None }
    }
}

/// `TF_Output`: one output of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub(super) struct TfOutput {
    pub(super) operation: *mut TfOperation,
    pub(super) index: c_int,
}

// SAFETY: the operation is owned by a graph that is not changed after loading; the pointer is only handed back to
// TensorFlow, which may be called from any thread.
unsafe impl Send for TfOutput {}
// SAFETY: as above.
unsafe impl Sync for TfOutput {}

/// `TF_TString`: one string of a tensor, 24 bytes that only TensorFlow's functions look into.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct TfString {
    pub(super) words: [u64; 3],
}

/// Frees the memory of a tensor: its data, their length, and what was given for it.
pub(super) type Deallocator = unsafe extern "C" fn(*mut c_void, usize, *mut c_void);

macro_rules! api {
    ($($field:ident: $symbol:literal ($($argument:ty),*) $(-> $answer:ty)?;)+) => {
        /// The functions that we use.
        pub(super) struct Api {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $answer)?,)+
        }

        impl Api {
            fn find(library: &Library) -> Result<Self, Error> {
                // SAFETY: each symbol has the C signature that is written beside it, and the library is never
                // closed, so the function stays where it is.
                unsafe { Ok(Self { $($field: *library.get($symbol).map_err(|cause| missing($symbol, &cause))?,)+ }) }
            }
        }
    };
}

api! {
    version: "TF_Version" () -> *const c_char;

    new_status: "TF_NewStatus" () -> *mut TfStatus;
    delete_status: "TF_DeleteStatus" (*mut TfStatus);
    get_code: "TF_GetCode" (*const TfStatus) -> c_int;
    message: "TF_Message" (*const TfStatus) -> *const c_char;

    new_buffer: "TF_NewBuffer" () -> *mut TfBuffer;
    delete_buffer: "TF_DeleteBuffer" (*mut TfBuffer);

    new_tensor: "TF_NewTensor"
        (c_int, *const i64, c_int, *mut c_void, usize, Deallocator, *mut c_void) -> *mut TfTensor;
    allocate_tensor: "TF_AllocateTensor" (c_int, *const i64, c_int, usize) -> *mut TfTensor;
    delete_tensor: "TF_DeleteTensor" (*mut TfTensor);
    tensor_maybe_move: "TF_TensorMaybeMove" (*mut TfTensor) -> *mut TfTensor;
    tensor_type: "TF_TensorType" (*const TfTensor) -> c_int;
    num_dims: "TF_NumDims" (*const TfTensor) -> c_int;
    dim: "TF_Dim" (*const TfTensor, c_int) -> i64;
    tensor_byte_size: "TF_TensorByteSize" (*const TfTensor) -> usize;
    tensor_data: "TF_TensorData" (*const TfTensor) -> *mut c_void;

    string_init: "TF_StringInit" (*mut TfString);
    string_copy: "TF_StringCopy" (*mut TfString, *const c_char, usize);
    string_dealloc: "TF_StringDealloc" (*mut TfString);
    string_data: "TF_StringGetDataPointer" (*const TfString) -> *const c_char;
    string_size: "TF_StringGetSize" (*const TfString) -> usize;

    new_graph: "TF_NewGraph" () -> *mut TfGraph;
    delete_graph: "TF_DeleteGraph" (*mut TfGraph);
    new_operation: "TF_NewOperation" (*mut TfGraph, *const c_char, *const c_char) -> *mut TfOperationDescription;
    finish_operation: "TF_FinishOperation" (*mut TfOperationDescription, *mut TfStatus) -> *mut TfOperation;
    graph_operation_by_name: "TF_GraphOperationByName" (*mut TfGraph, *const c_char) -> *mut TfOperation;
    graph_next_operation: "TF_GraphNextOperation" (*mut TfGraph, *mut usize) -> *mut TfOperation;
    operation_type: "TF_OperationOpType" (*mut TfOperation) -> *const c_char;
    operation_num_outputs: "TF_OperationNumOutputs" (*mut TfOperation) -> c_int;

    new_session_options: "TF_NewSessionOptions" () -> *mut TfSessionOptions;
    delete_session_options: "TF_DeleteSessionOptions" (*mut TfSessionOptions);
    set_config: "TF_SetConfig" (*mut TfSessionOptions, *const c_void, usize, *mut TfStatus);
    new_session: "TF_NewSession" (*mut TfGraph, *const TfSessionOptions, *mut TfStatus) -> *mut TfSession;
    load_session: "TF_LoadSessionFromSavedModel"
        (*const TfSessionOptions, *const TfBuffer, *const c_char, *const *const c_char, c_int, *mut TfGraph,
         *mut TfBuffer, *mut TfStatus) -> *mut TfSession;
    close_session: "TF_CloseSession" (*mut TfSession, *mut TfStatus);
    delete_session: "TF_DeleteSession" (*mut TfSession, *mut TfStatus);
    session_run: "TF_SessionRun"
        (*mut TfSession, *const TfBuffer, *const TfOutput, *const *mut TfTensor, c_int, *const TfOutput,
         *mut *mut TfTensor, c_int, *const *const TfOperation, c_int, *mut TfBuffer, *mut TfStatus);
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Api")
    }
}

/// Opens the libraries in `folder` and finds every function.
///
/// They are opened locally: their symbols are nobody else's, so that a process which also imports TensorFlow in
/// Python does not hang. They stay open for good, for their threads never end; so the table may live as long.
pub(super) fn open(folder: &Path) -> Result<&'static Api, Error> {
    let [framework, functions] = LIBRARIES;
    open_one(folder, framework)?;
    let library = open_one(folder, functions)?;
    Ok(Box::leak(Box::new(Api::find(library)?)))
}

fn open_one(folder: &Path, name: &str) -> Result<&'static Library, Error> {
    let path = folder.join(name);
    if !path.is_file() {
        return Err(Error::not_found(format!(
            "TensorFlow is not in {}: it has no {name}. Without it no SavedModel can be run; {INSTALL}.",
            folder.display()
        )));
    }
    // SAFETY: opening runs the library's initializers, which a TensorFlow wheel's allow in any program.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(|cause| {
        Error::failed_precondition(format!("{} cannot be opened ({cause}); {INSTALL}.", path.display()))
    })?;
    Ok(Box::leak(Box::new(library)))
}

fn missing(symbol: &str, cause: &libloading::Error) -> Error {
    Error::failed_precondition(format!(
        "TensorFlow's library has no function {symbol} ({cause}): this server needs TensorFlow 2.18 or later; \
         {INSTALL}."
    ))
}

/// TensorFlow's version.
pub(super) fn version(api: &Api) -> String {
    // SAFETY: TF_Version returns a constant, terminated string.
    unsafe { CStr::from_ptr((api.version)()) }.to_string_lossy().into_owned()
}

/// A count as C has it. What is counted here (dimensions, declared names, tags) is bounded far below.
pub(super) fn c_count(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}
