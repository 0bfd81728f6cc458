//! LiteRT's C API: its functions, found at run time in the library of an installed `ai-edge-litert` wheel.
//!
//! Types and signatures are those of `litert_common.h`, `litert_environment_options.h`, `litert_layout.h`,
//! `litert_model.h`, `litert_options.h`, `litert_tensor_buffer.h` and `litert_compiled_model.h`, version 2.3. The
//! wheel exports this API only, not the older one whose names begin with `TfLite`.

use crate::error::{Code, Error};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::{
    ffi::{c_char, c_int, c_uint, c_void},
    path::Path,
};

/// The library in the package's own folder.
pub(super) const LIBRARY: &str = "libLiteRt.so";

const INSTALL: &str = "install it with `pip install understudy[litert]`, or name the `ai_edge_litert` folder of \
                       another installation";

macro_rules! opaque {
    ($($name:ident),+) => {$(
        #[repr(C)]
        pub(super) struct $name {
            _private: [u8; 0],
        }
    )+};
}
opaque!(LrtEnvironment, LrtModel, LrtOptions, LrtOpaqueOptions, LrtCompiledModel, LrtTensorBuffer);

/// `LiteRtAny` with a whole number in it.
#[repr(C)]
pub(super) struct LrtAny {
    pub(super) kind: c_int,
    pub(super) int_value: i64,
}

/// `kLiteRtAnyTypeInt`.
pub(super) const ANY_INT: c_int = 2;

/// `LiteRtEnvOption`.
#[repr(C)]
pub(super) struct LrtEnvOption {
    pub(super) tag: c_int,
    pub(super) value: LrtAny,
}

/// `LITERT_TENSOR_MAX_RANK`.
const LAYOUT_RANK_MAX: usize = 8;

/// `LiteRtLayout`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct LrtLayout {
    /// The number of dimensions in the lowest seven bits; the next says whether there are strides.
    bits: c_uint,
    dimensions: [i32; LAYOUT_RANK_MAX],
    strides: [u32; LAYOUT_RANK_MAX],
}

impl LrtLayout {
    /// None for more dimensions than there may be.
    pub(super) fn of(shape: &[i32]) -> Option<Self> {
        let mut layout = Self { bits: c_uint::try_from(shape.len()).ok()?, ..Self::default() };
        layout.dimensions.get_mut(..shape.len())?.copy_from_slice(shape);
        Some(layout)
    }

    /// None for more dimensions than there may be.
    pub(super) fn shape(&self) -> Option<&[i32]> {
        self.dimensions.get(..usize::try_from(self.bits & 0x7f).ok()?)
    }
}

/// `LiteRtRankedTensorType`.
#[repr(C)]
pub(super) struct LrtTensorType {
    pub(super) element: c_int,
    pub(super) layout: LrtLayout,
}

/// Asked by LiteRT between two operators whether to stop.
pub(super) type IsCancelled = unsafe extern "C" fn(*mut c_void) -> bool;

/// Frees what was given for an option.
pub(super) type FreeOption = unsafe extern "C" fn(*mut c_void);

/// Frees memory that was lent to LiteRT.
pub(super) type FreeMemory = unsafe extern "C" fn(*mut c_void);

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
    create_environment: "LiteRtCreateEnvironment"
        (c_int, *const LrtEnvOption, *mut *mut LrtEnvironment) -> c_int;
    destroy_environment: "LiteRtDestroyEnvironment" (*mut LrtEnvironment);

    create_model: "LiteRtCreateModelFromBuffer"
        (*mut LrtEnvironment, *const c_void, usize, *mut *mut LrtModel) -> c_int;
    destroy_model: "LiteRtDestroyModel" (*mut LrtModel);

    create_options: "LiteRtCreateOptions" (*mut *mut LrtOptions) -> c_int;
    destroy_options: "LiteRtDestroyOptions" (*mut LrtOptions);
    set_accelerators: "LiteRtSetOptionsHardwareAccelerators" (*mut LrtOptions, c_int) -> c_int;
    create_opaque_options: "LiteRtCreateOpaqueOptions"
        (*const c_char, *mut c_void, FreeOption, *mut *mut LrtOpaqueOptions) -> c_int;
    destroy_opaque_options: "LiteRtDestroyOpaqueOptions" (*mut LrtOpaqueOptions);
    add_opaque_options: "LiteRtAddOpaqueOptions" (*mut LrtOptions, *mut LrtOpaqueOptions) -> c_int;

    create_tensor_buffer: "LiteRtCreateTensorBufferFromHostMemory"
        (*const LrtTensorType, *mut c_void, usize, Option<FreeMemory>, *mut *mut LrtTensorBuffer) -> c_int;
    destroy_tensor_buffer: "LiteRtDestroyTensorBuffer" (*mut LrtTensorBuffer);

    create_compiled_model: "LiteRtCreateCompiledModel"
        (*mut LrtEnvironment, *mut LrtModel, *mut LrtOptions, *mut *mut LrtCompiledModel) -> c_int;
    destroy_compiled_model: "LiteRtDestroyCompiledModel" (*mut LrtCompiledModel);
    set_cancellation: "LiteRtSetCompiledModelCancellationFunction"
        (*mut LrtCompiledModel, *mut c_void, IsCancelled) -> c_int;
    resize_input: "LiteRtCompiledModelResizeInputTensorNonStrict"
        (*mut LrtCompiledModel, usize, usize, *const c_int, usize) -> c_int;
    output_layouts: "LiteRtGetCompiledModelOutputTensorLayouts"
        (*mut LrtCompiledModel, usize, usize, *mut LrtLayout, bool) -> c_int;
    // Of two functions the one that older versions do not have, in which others take other arguments.
    run: "LiteRtRunCompiledModelWithOptions"
        (*mut LrtCompiledModel, usize, usize, *const *mut LrtTensorBuffer, usize, *const *mut LrtTensorBuffer,
         *mut LrtOptions) -> c_int;
    error_messages: "LiteRtCompiledModelGetErrorMessages" (*mut LrtCompiledModel, *mut *mut c_char) -> c_int;
    clear_errors: "LiteRtCompiledModelClearErrors" (*mut LrtCompiledModel) -> c_int;
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Api")
    }
}

/// Opens the library in `folder` and finds every function. It stays open for good.
pub(super) fn open(folder: &Path) -> Result<&'static Api, Error> {
    let path = folder.join(LIBRARY);
    if !path.is_file() {
        return Err(Error::not_found(format!(
            "LiteRT is not in {}: it has no {LIBRARY}. Without it no model.tflite can be run; {INSTALL}.",
            folder.display()
        )));
    }
    // SAFETY: opening runs the library's initializers, which the wheel's allow in any program. It is opened locally,
    // so its symbols are nobody else's.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(|cause| {
        Error::failed_precondition(format!("{} cannot be opened ({cause}); {INSTALL}.", path.display()))
    })?;
    Ok(Box::leak(Box::new(Api::find(Box::leak(Box::new(library)))?)))
}

fn missing(symbol: &str, cause: &libloading::Error) -> Error {
    Error::failed_precondition(format!(
        "LiteRT's library has no function {symbol} ({cause}): this server needs ai-edge-litert 2.3; {INSTALL}."
    ))
}

/// `LiteRtStatus`: number, code, words.
const STATUSES: [(c_int, Code, &str); 9] = [
    (1, Code::InvalidArgument, "invalid argument"),
    (2, Code::ResourceExhausted, "no memory"),
    (3, Code::Internal, "the runtime failed"),
    (5, Code::Unimplemented, "not supported"),
    (100, Code::DeadlineExceeded, "cancelled"),
    (500, Code::DataLoss, "the file cannot be read"),
    (501, Code::DataLoss, "the file is damaged"),
    (504, Code::Internal, "it cannot be compiled"),
    (1001, Code::DataLoss, "the graph is damaged"),
];

/// Fails, saying `what` could not be done, unless the status is that all is well.
pub(super) fn check(status: c_int, what: &str) -> Result<(), Error> {
    if status == 0 {
        return Ok(());
    }
    let known = STATUSES.iter().find(|row| row.0 == status);
    let (code, words) = known.map_or((Code::Internal, "it does not say why"), |row| (row.1, row.2));
    Err(Error::new(code, format!("LiteRT could not {what}: {words} (status {status})")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;

    #[test]
    fn what_crosses_is_as_large_as_the_headers_assert() {
        assert_eq!(size_of::<LrtLayout>(), 68);
        assert_eq!(size_of::<LrtTensorType>(), 72);
        assert_eq!(size_of::<LrtAny>(), 16);
        assert_eq!(size_of::<LrtEnvOption>(), 24);
    }

    #[test]
    fn a_shape_comes_back_from_a_layout_and_one_too_many_dimensions_has_none() {
        assert_eq!(LrtLayout::of(&[2, 3]).unwrap().shape(), Some([2, 3].as_slice()));
        assert_eq!(LrtLayout::of(&[]).unwrap().shape(), Some([].as_slice()));
        assert!(LrtLayout::of(&[1; LAYOUT_RANK_MAX + 1]).is_none());
    }

    #[test]
    fn a_folder_without_the_library_is_refused_with_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path()).err().unwrap();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.message.contains("pip install understudy[litert]"), "{error}");
    }
}
