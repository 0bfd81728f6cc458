//! Tensors across the C API, copied only where sharing memory would not be sound or would not pay.

use super::library::{Api, TfString, TfTensor, c_count};
use crate::{
    error::Error,
    tensor::{DType, Data, Tensor, element_count},
    tensor_proto::RANK_MAX,
};
use bytes::{Bytes, BytesMut};
use std::{ffi::c_void, ptr, slice};

/// TensorFlow copies what starts at any other multiple, so lending it would cost more than copying.
const ALIGNMENT: usize = 64;

/// From this size on TensorFlow is lent our memory; below, a copy is about as cheap (measured: they break even at
/// 1 KiB, and at 4 KiB lending takes a tenth off a small call).
const LEND_BYTES_MIN: usize = 4 << 10;

/// From this size on we are lent TensorFlow's memory; below, a copy is as cheap and frees it sooner.
const BORROW_BYTES_MIN: usize = 1 << 10;

/// Tensors on TensorFlow's side, one for each feed or fetch; null where there is none (yet).
pub(super) struct Tensors {
    api: &'static Api,
    pointers: Vec<*mut TfTensor>,
}

impl Tensors {
    /// Room for `count` answers.
    pub(super) fn room(api: &'static Api, count: usize) -> Self {
        Self { api, pointers: vec![ptr::null_mut(); count] }
    }

    /// Hands tensors over; they are TensorFlow's to read for as long as it likes.
    pub(super) fn send<'a>(
        api: &'static Api,
        tensors: impl ExactSizeIterator<Item = &'a Tensor>,
    ) -> Result<Self, Error> {
        let mut sent = Self { api, pointers: Vec::with_capacity(tensors.len()) };
        for tensor in tensors {
            sent.pointers.push(send(api, tensor)?);
        }
        Ok(sent)
    }

    pub(super) fn len(&self) -> usize {
        self.pointers.len()
    }

    pub(super) fn as_ptr(&self) -> *const *mut TfTensor {
        self.pointers.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut *mut TfTensor {
        self.pointers.as_mut_ptr()
    }

    /// Takes the answers over.
    pub(super) fn receive(mut self) -> Result<Vec<Tensor>, Error> {
        let api = self.api;
        self.pointers
            .iter_mut()
            .map(|slot| Received { api, pointer: std::mem::replace(slot, ptr::null_mut()) }.into_tensor())
            .collect()
    }
}

impl Drop for Tensors {
    fn drop(&mut self) {
        for &pointer in self.pointers.iter().filter(|pointer| !pointer.is_null()) {
            // SAFETY: ours, and nobody uses it after this; TensorFlow keeps what it still needs by itself.
            unsafe { (self.api.delete_tensor)(pointer) }
        }
    }
}

fn send(api: &'static Api, tensor: &Tensor) -> Result<*mut TfTensor, Error> {
    check_shape(tensor)?;
    let pointer = match tensor.data() {
        Data::Packed(bytes) if may_lend(bytes) => lend(api, tensor, bytes),
        Data::Packed(bytes) => return copy(api, tensor, bytes),
        Data::Strings(strings) if strings.is_empty() => return copy(api, tensor, &Bytes::new()),
        Data::Strings(strings) => send_strings(api, tensor, strings),
    };
    if pointer.is_null() { Err(Error::internal("TensorFlow refused a tensor")) } else { Ok(pointer) }
}

/// TensorFlow ends the process over a shape that it cannot count, even one with a zero in it; so none gets there.
fn check_shape(tensor: &Tensor) -> Result<(), Error> {
    let shape = tensor.shape();
    if shape.len() > RANK_MAX {
        return Err(Error::invalid_argument(format!("a tensor has at most {RANK_MAX} dimensions")));
    }
    let spanned: Vec<i64> = shape.iter().copied().filter(|&size| size != 0).collect();
    let element_bytes = tensor.dtype().size().unwrap_or(size_of::<TfString>());
    match element_count(&spanned)?.checked_mul(element_bytes).map(isize::try_from) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Error::invalid_argument(format!("shape {shape:?} has too many elements"))),
    }
}

fn may_lend(bytes: &Bytes) -> bool {
    bytes.len() >= LEND_BYTES_MIN && bytes.as_ptr().addr().is_multiple_of(ALIGNMENT)
}

/// Lets TensorFlow read our memory, which it gives back when its last use ends.
fn lend(api: &'static Api, tensor: &Tensor, bytes: &Bytes) -> *mut TfTensor {
    let keeper = Box::into_raw(Box::new(bytes.clone()));
    // SAFETY: the bytes stay where they are while the keeper lives, which `give_back` frees; TensorFlow never
    // writes to memory that it does not own.
    unsafe {
        (api.new_tensor)(
            tensor.dtype().number(),
            tensor.shape().as_ptr(),
            c_count(tensor.shape().len()),
            bytes.as_ptr().cast_mut().cast(),
            bytes.len(),
            give_back,
            keeper.cast(),
        )
    }
}

unsafe extern "C" fn give_back(_data: *mut c_void, _length: usize, keeper: *mut c_void) {
    // SAFETY: the pointer that `lend` made, given back once.
    drop(unsafe { Box::from_raw(keeper.cast::<Bytes>()) });
}

fn copy(api: &'static Api, tensor: &Tensor, bytes: &Bytes) -> Result<*mut TfTensor, Error> {
    let shape = tensor.shape();
    // SAFETY: the shape was checked; it is read during the call.
    let pointer = unsafe {
        (api.allocate_tensor)(tensor.dtype().number(), shape.as_ptr(), c_count(shape.len()), bytes.len())
    };
    let mut owned = Tensors { api, pointers: vec![pointer] };
    // SAFETY: the pointer is null or a tensor that was just made.
    let data = if pointer.is_null() { ptr::null_mut() } else { unsafe { (api.tensor_data)(pointer) } };
    if data.is_null() && !bytes.is_empty() {
        return Err(Error::resource_exhausted(format!("TensorFlow has no memory for {} bytes", bytes.len())));
    }
    if !bytes.is_empty() {
        // SAFETY: the tensor was made for exactly this many bytes and nobody else knows it yet.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len()) };
    }
    owned.pointers.clear();
    Ok(pointer)
}

/// Copies strings into TensorFlow's form.
///
/// An answer, a variable or a table may share the tensor's memory and outlive the request, so the strings are
/// owned by that memory and freed with it, never by us after a run.
fn send_strings(api: &'static Api, tensor: &Tensor, strings: &[Bytes]) -> *mut TfTensor {
    let mut cells: Box<[TfString]> = vec![TfString { words: [0; 3] }; strings.len()].into_boxed_slice();
    for (cell, string) in cells.iter_mut().zip(strings) {
        // SAFETY: a cell is initialized before it is assigned; the bytes are read during the call.
        unsafe {
            (api.string_init)(cell);
            (api.string_copy)(cell, string.as_ptr().cast(), string.len());
        }
    }
    let length = size_of_val(&*cells);
    let cells = Box::into_raw(cells);
    // SAFETY: the cells are TensorFlow's until it calls `free_strings`; the table of functions is never freed.
    unsafe {
        (api.new_tensor)(
            tensor.dtype().number(),
            tensor.shape().as_ptr(),
            c_count(tensor.shape().len()),
            cells.cast(),
            length,
            free_strings,
            ptr::from_ref(api).cast_mut().cast(),
        )
    }
}

unsafe extern "C" fn free_strings(data: *mut c_void, length: usize, api: *mut c_void) {
    let count = length / size_of::<TfString>();
    // SAFETY: the box and the table that `send_strings` gave, given back once.
    let (mut cells, api) = unsafe {
        (Box::from_raw(ptr::slice_from_raw_parts_mut(data.cast::<TfString>(), count)), &*api.cast::<Api>())
    };
    for cell in &mut cells {
        // SAFETY: initialized by `send_strings`, freed once.
        unsafe { (api.string_dealloc)(cell) };
    }
}

/// One answer, which is ours.
struct Received {
    api: &'static Api,
    pointer: *mut TfTensor,
}

// SAFETY: nobody writes to a tensor that was answered, and it may be freed by any thread.
unsafe impl Send for Received {}
// SAFETY: as above.
unsafe impl Sync for Received {}

impl Received {
    fn into_tensor(self) -> Result<Tensor, Error> {
        if self.pointer.is_null() {
            return Err(Error::internal("TensorFlow left an answer out"));
        }
        // SAFETY: the tensor is alive.
        let number = unsafe { (self.api.tensor_type)(self.pointer) };
        let dtype = DType::from_number(number).ok_or_else(|| {
            Error::unimplemented(format!("the model answers with data type {number}, which cannot travel"))
        })?;
        let shape = self.shape();
        let data = if dtype == DType::String {
            Data::Strings(self.strings())
        } else if self.bytes().len() < BORROW_BYTES_MIN || self.is_shared() {
            Data::Packed(Bytes::copy_from_slice(self.bytes()))
        } else {
            Data::Packed(Bytes::from_owner(self))
        };
        Tensor::new(dtype, shape, data)
    }

    fn shape(&self) -> Vec<i64> {
        // SAFETY: the tensor is alive, and each index is below its number of dimensions.
        unsafe {
            (0..(self.api.num_dims)(self.pointer)).map(|index| (self.api.dim)(self.pointer, index)).collect()
        }
    }

    /// Whether its memory is also a variable's, a constant's or a request's, whose owner may change or need it.
    fn is_shared(&self) -> bool {
        // SAFETY: the tensor is alive. The function moves nothing: it answers null when another holds the memory.
        unsafe { (self.api.tensor_maybe_move)(self.pointer) }.is_null()
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the tensor is alive.
        let (data, length) =
            unsafe { ((self.api.tensor_data)(self.pointer), (self.api.tensor_byte_size)(self.pointer)) };
        if data.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: that many bytes, which live as long as the tensor and are not written to.
        unsafe { slice::from_raw_parts(data.cast(), length) }
    }

    /// The strings, copied into one piece of memory of which each is a part.
    fn strings(&self) -> Vec<Bytes> {
        let bytes = self.bytes();
        // SAFETY: a tensor of strings is an array of cells, aligned for them.
        let cells: &[TfString] =
            unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<TfString>()) };
        let strings: Vec<&[u8]> = cells.iter().map(|cell| self.string(cell)).collect();
        let mut all = BytesMut::with_capacity(strings.iter().map(|string| string.len()).sum());
        for string in &strings {
            all.extend_from_slice(string);
        }
        let mut rest = all.freeze();
        strings.iter().map(|string| rest.split_to(string.len())).collect()
    }

    fn string<'a>(&self, cell: &'a TfString) -> &'a [u8] {
        // SAFETY: the cell is initialized.
        let (data, length) = unsafe { ((self.api.string_data)(cell), (self.api.string_size)(cell)) };
        if data.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: that many bytes, which live as long as the cell and are not written to.
        unsafe { slice::from_raw_parts(data.cast(), length) }
    }
}

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.pointer.is_null() {
            // SAFETY: ours, and nobody uses it after this.
            unsafe { (self.api.delete_tensor)(self.pointer) }
        }
    }
}
