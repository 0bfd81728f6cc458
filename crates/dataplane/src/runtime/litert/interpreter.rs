//! One interpreter: a graph with room for its tensors, which one run at a time may use.

use super::{
    contents::{Entry, Port, RANK_MAX},
    element::Element,
    file::ModelFile,
    library::{Api, LrtCompiledModel, LrtLayout, LrtOptions, LrtTensorBuffer, LrtTensorType, check},
    memory::Memory,
    strings,
};
use crate::{
    error::{Code, Error},
    tensor::{DType, Data, Tensor, element_count},
};
use bytes::Bytes;
use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// `kLiteRtHwAcceleratorCpu`.
const CPU: c_int = 1;

/// What LiteRT looks for among options, and what we say there: errors are kept as texts (mode 2) instead of being
/// written to standard error; each interpreter runs in the thread that calls it.
const OPTIONS: [(&CStr, &CStr); 2] =
    [(c"runtime_options_string", c"error_reporter_mode = 2\n"), (c"xnnpack", c"num_threads = 1\n")];

/// LiteRT does not say how long the strings of an answer will be, so it gets room for this many bytes of them. Only
/// what is used of it is real.
const STRING_BYTES_MAX: usize = 64 << 20;

/// The largest answer that could travel.
const OUTPUT_BYTES_MAX: usize = (1 << 31) - 1;

/// An output of at least this many bytes is given away as it is; below, a copy is as cheap and frees it sooner.
const GIVE_BYTES_MIN: usize = 1 << 10;

/// LiteRT writes an output's sizes without looking at how many there is room for; it counts them in seven bits. So
/// behind the last one there is room for all that may follow.
const SPARE_LAYOUTS: usize = 8;

/// How much of LiteRT's texts is passed on.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Never.
const NEVER: u64 = u64::MAX;

/// In LiteRT's words, what it says of an output whose size follows from values, not from sizes.
const DYNAMIC_OUTPUT: &str = "tensor->allocation_type == kTfLiteArenaRw";

unsafe extern "C" {
    /// The C library's: LiteRT hands out texts to be freed with it.
    fn free(pointer: *mut c_void);
}

struct Options {
    api: &'static Api,
    pointer: *mut LrtOptions,
}

impl Options {
    fn new(api: &'static Api) -> Result<Self, Error> {
        let mut pointer = ptr::null_mut();
        // SAFETY: what it leaves is ours until `drop`.
        check(unsafe { (api.create_options)(&raw mut pointer) }, "begin")?;
        let options = Self { api, pointer };
        // SAFETY: the options are alive.
        check(unsafe { (api.set_accelerators)(pointer, CPU) }, "choose the CPU")?;
        OPTIONS.iter().try_for_each(|(kind, text)| options.add(kind, text))?;
        Ok(options)
    }

    fn add(&self, kind: &CStr, text: &CStr) -> Result<(), Error> {
        let mut option = ptr::null_mut();
        let payload = text.to_owned().into_raw();
        // SAFETY: the kind is copied during the call; the text is LiteRT's until it calls `free_text`.
        let status = unsafe {
            (self.api.create_opaque_options)(kind.as_ptr(), payload.cast(), free_text, &raw mut option)
        };
        if status != 0 {
            // SAFETY: LiteRT did not take it.
            unsafe { free_text(payload.cast()) };
        }
        check(status, "take an option")?;
        // SAFETY: both are alive; the options own the option afterwards, if they take it.
        let status = unsafe { (self.api.add_opaque_options)(self.pointer, option) };
        if status != 0 {
            // SAFETY: still ours.
            unsafe { (self.api.destroy_opaque_options)(option) };
        }
        check(status, "take an option")
    }
}

unsafe extern "C" fn free_text(text: *mut c_void) {
    // SAFETY: what `Options::add` gave, given back once.
    drop(unsafe { CString::from_raw(text.cast::<c_char>()) });
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, and the model that was made with them is gone.
        unsafe { (self.api.destroy_options)(self.pointer) }
    }
}

/// When to stop a run; LiteRT asks between operators.
struct StopAt {
    origin: Instant,
    nanos: AtomicU64,
}

impl StopAt {
    fn set(&self, timeout: Option<Duration>) {
        let at = timeout.and_then(|timeout| self.origin.elapsed().checked_add(timeout));
        let nanos = at.and_then(|at| u64::try_from(at.as_nanos()).ok()).unwrap_or(NEVER);
        self.nanos.store(nanos, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let at = self.nanos.load(Ordering::Relaxed);
        at != NEVER && self.origin.elapsed().as_nanos() >= u128::from(at)
    }
}

unsafe extern "C" fn is_over(stop_at: *mut c_void) -> bool {
    // SAFETY: what `Interpreter::new` gave, which lives as long as the interpreter.
    unsafe { &*stop_at.cast::<StopAt>() }.is_over()
}

/// What an entry of the file was last run with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sizes {
    inputs: Vec<Vec<i32>>,
    outputs: Vec<Vec<i32>>,
}

/// An interpreter; by its type nobody can run it twice at once.
pub(super) struct Interpreter {
    api: &'static Api,
    pointer: *mut LrtCompiledModel,
    sizes: Vec<Option<Sizes>>,
    // Dropped after `pointer` is freed, which may look at both.
    stop_at: Box<StopAt>,
    _options: Options,
}

// SAFETY: it may be used by any thread, one at a time.
unsafe impl Send for Interpreter {}

impl Interpreter {
    /// An interpreter for the file's entries. The file must outlive it.
    pub(super) fn new(api: &'static Api, file: &ModelFile, entries: usize) -> Result<Self, Error> {
        let options = Options::new(api)?;
        let (environment, model) = file.pointers();
        let mut pointer = ptr::null_mut();
        // SAFETY: all three are alive; what it leaves is ours until `drop`.
        let status =
            unsafe { (api.create_compiled_model)(environment, model, options.pointer, &raw mut pointer) };
        check(status, "prepare the graph")?;
        let stop_at = Box::new(StopAt { origin: Instant::now(), nanos: AtomicU64::new(NEVER) });
        let made = Self { api, pointer, sizes: vec![None; entries], stop_at, _options: options };
        let data = ptr::from_ref(&*made.stop_at).cast_mut().cast();
        // SAFETY: the model is alive; the box stays where it is and lives as long.
        check(unsafe { (api.set_cancellation)(made.pointer, data, is_over) }, "be stopped")?;
        Ok(made)
    }

    /// Runs an entry on one tensor for each of its inputs, whose sizes are `sizes`; the outputs with these indexes.
    pub(super) fn run(
        &mut self,
        (index, entry): (usize, &Entry),
        inputs: &[(&Tensor, Vec<i32>)],
        wanted: &[usize],
        timeout: Option<Duration>,
    ) -> Result<Vec<Tensor>, Error> {
        self.stop_at.set(timeout);
        // SAFETY: the model is alive. A failure would leave older texts before newer ones.
        let _ = unsafe { (self.api.clear_errors)(self.pointer) };
        let outputs = self.make_room(index, inputs.iter().map(|input| input.1.clone()).collect(), entry)?;
        let mut given = Buffers::new(self.api);
        for ((tensor, sizes), port) in inputs.iter().zip(&entry.inputs) {
            given.push(element(port)?, sizes, filled(tensor)?)?;
        }
        let mut answered = Buffers::new(self.api);
        for (sizes, port) in outputs.iter().zip(&entry.outputs) {
            let element = element(port)?;
            answered.push(element, sizes, Memory::zeroed(output_bytes(element, sizes)?)?)?;
        }
        self.invoke(index, &given, &answered, entry)?;
        let has_strings = entry.outputs.iter().any(is_string);
        let outputs = if has_strings { self.output_sizes(index, entry, false)? } else { outputs };
        answered.into_tensors(entry, &outputs, wanted)
    }

    /// Gives the entry's inputs these sizes, unless it has them; the sizes of its outputs then.
    fn make_room(
        &mut self,
        index: usize,
        inputs: Vec<Vec<i32>>,
        entry: &Entry,
    ) -> Result<Vec<Vec<i32>>, Error> {
        if let Some(Some(known)) = self.sizes.get(index)
            && known.inputs == inputs
        {
            return Ok(known.outputs.clone());
        }
        let place = self.sizes.get_mut(index).ok_or_else(|| Error::internal("a model has no such entry"))?;
        *place = None;
        for (number, sizes) in inputs.iter().enumerate().filter(|(_, sizes)| !sizes.is_empty()) {
            // SAFETY: the model is alive; so many sizes, which are read during the call.
            let status =
                unsafe { (self.api.resize_input)(self.pointer, index, number, sizes.as_ptr(), sizes.len()) };
            self.check_fits(status)?;
        }
        let outputs = self.output_sizes(index, entry, true)?;
        if let Some(place) = self.sizes.get_mut(index) {
            *place = Some(Sizes { inputs, outputs: outputs.clone() });
        }
        Ok(outputs)
    }

    /// Sizes of the outputs. With `anew` LiteRT works them out from those of the inputs.
    fn output_sizes(&self, index: usize, entry: &Entry, anew: bool) -> Result<Vec<Vec<i32>>, Error> {
        let count = entry.outputs.len();
        let mut layouts = vec![LrtLayout::default(); count + SPARE_LAYOUTS];
        // SAFETY: the model is alive; there is room for more layouts than are written.
        let status =
            unsafe { (self.api.output_layouts)(self.pointer, index, count, layouts.as_mut_ptr(), anew) };
        self.check_fits(status)?;
        let shape = |layout: &LrtLayout| layout.shape().map(<[i32]>::to_vec);
        layouts
            .iter()
            .take(count)
            .map(shape)
            .collect::<Option<_>>()
            .ok_or_else(|| Error::unimplemented(format!("an output has more than {RANK_MAX} dimensions")))
    }

    /// What fails before a run fails because of the sizes that a client sent.
    fn check_fits(&self, status: c_int) -> Result<(), Error> {
        check(status, "make room for inputs of these sizes")
            .map_err(|error| Error::invalid_argument(explained(error, &self.take_messages()).message))
    }

    fn invoke(&self, index: usize, given: &Buffers, answered: &Buffers, entry: &Entry) -> Result<(), Error> {
        // SAFETY: the model and the buffers are alive during the call, as many as there are of each; the memory
        // behind them is theirs alone. LiteRT keeps its address and does not look there before the next run has
        // given it another.
        let status = unsafe {
            (self.api.run)(
                self.pointer,
                index,
                given.pointers.len(),
                given.pointers.as_ptr(),
                answered.pointers.len(),
                answered.pointers.as_ptr(),
                ptr::null_mut(),
            )
        };
        let Err(error) = check(status, "run the model") else { return Ok(()) };
        // Stopped inside a loop's body, LiteRT calls it a failure of the runtime.
        if error.code == Code::DeadlineExceeded || self.stop_at.is_over() {
            return Err(Error::deadline_exceeded("the deadline passed before the model had run"));
        }
        let messages = self.take_messages();
        if messages.contains(DYNAMIC_OUTPUT) {
            return Err(dynamic_output());
        }
        if messages.is_empty() && entry.outputs.iter().any(is_string) {
            return Err(Error::resource_exhausted(format!(
                "{}; perhaps the strings of an output have more than {STRING_BYTES_MAX} bytes",
                error.message
            )));
        }
        Err(explained(error, &messages))
    }

    /// What LiteRT says about what just failed; it says it once.
    fn take_messages(&self) -> String {
        let mut text: *mut c_char = ptr::null_mut();
        // SAFETY: the model is alive; the text that it leaves is ours to free.
        let status = unsafe { (self.api.error_messages)(self.pointer, &raw mut text) };
        if status != 0 || text.is_null() {
            return String::new();
        }
        // SAFETY: a terminated string, which is copied.
        let mut messages = unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().replace('\n', "; ");
        // SAFETY: ours, freed once.
        unsafe { free(text.cast()) };
        messages.truncate(messages.floor_char_boundary(MESSAGE_BYTES_MAX));
        messages
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody runs it.
        unsafe { (self.api.destroy_compiled_model)(self.pointer) }
    }
}

/// The error, and what LiteRT says about it.
fn explained(error: Error, messages: &str) -> Error {
    if messages.is_empty() { error } else { Error::new(error.code, format!("{}: {messages}", error.message)) }
}

/// Why a signature cannot be answered through this API.
fn dynamic_output() -> Error {
    Error::unimplemented(
        "the size of an output depends on the values of the inputs, not on their sizes, and LiteRT's C API gives \
         such a one no room; export the model as a SavedModel instead",
    )
}

fn is_string(port: &Port) -> bool {
    port.element.is_some_and(|element| element.dtype == DType::String)
}

fn element(port: &Port) -> Result<Element, Error> {
    port.element.ok_or_else(|| Error::internal("a tensor of a type that cannot travel"))
}

/// The tensor's elements in memory of LiteRT's kind.
fn filled(tensor: &Tensor) -> Result<Memory, Error> {
    let laid_out;
    let elements: &[u8] = match tensor.data() {
        Data::Packed(bytes) => bytes,
        Data::Strings(strings) => {
            laid_out = strings::lay_out(strings)?;
            &laid_out
        }
    };
    let mut memory = Memory::zeroed(elements.len())?;
    memory.as_mut_slice().copy_from_slice(elements);
    Ok(memory)
}

fn wide(sizes: &[i32]) -> Vec<i64> {
    sizes.iter().copied().map(i64::from).collect()
}

fn output_bytes(element: Element, sizes: &[i32]) -> Result<usize, Error> {
    let Some(size) = element.size() else { return Ok(STRING_BYTES_MAX) };
    let bytes = element_count(&wide(sizes))?.checked_mul(size).filter(|bytes| *bytes <= OUTPUT_BYTES_MAX);
    bytes.ok_or_else(|| {
        Error::resource_exhausted(format!(
            "an output of shape {sizes:?} has more than {OUTPUT_BYTES_MAX} bytes, which is more than can travel"
        ))
    })
}

/// Tensors in LiteRT's hands, and the memory behind each, which is ours.
struct Buffers {
    api: &'static Api,
    pointers: Vec<*mut LrtTensorBuffer>,
    memories: Vec<Memory>,
}

impl Buffers {
    fn new(api: &'static Api) -> Self {
        Self { api, pointers: Vec::new(), memories: Vec::new() }
    }

    fn push(&mut self, element: Element, sizes: &[i32], mut memory: Memory) -> Result<(), Error> {
        let layout =
            LrtLayout::of(sizes).ok_or_else(|| Error::internal("a tensor of too many dimensions"))?;
        let kind = LrtTensorType { element: element.number, layout };
        let length = memory.as_ref().len();
        let mut pointer = ptr::null_mut();
        // SAFETY: the type is copied during the call; so many bytes, which stay where they are until the buffer is
        // gone, and which LiteRT does not free.
        let status = unsafe {
            (self.api.create_tensor_buffer)(
                &raw const kind,
                memory.as_mut_ptr().cast(),
                length,
                None,
                &raw mut pointer,
            )
        };
        check(status, &format!("take a tensor of shape {sizes:?}"))?;
        self.pointers.push(pointer);
        self.memories.push(memory);
        Ok(())
    }

    /// What LiteRT wrote, as tensors: those outputs of the entry that are wanted.
    fn into_tensors(
        mut self,
        entry: &Entry,
        sizes: &[Vec<i32>],
        wanted: &[usize],
    ) -> Result<Vec<Tensor>, Error> {
        self.let_go();
        let memories = std::mem::take(&mut self.memories).into_iter();
        let outputs = memories.zip(&entry.outputs).zip(sizes).enumerate();
        let tensors = outputs.map(|(index, ((memory, port), sizes))| {
            wanted.contains(&index).then(|| tensor(memory, element(port)?, wide(sizes))).transpose()
        });
        let tensors = tensors.collect::<Result<Vec<_>, Error>>()?;
        let chosen = wanted.iter().map(|&index| tensors.get(index)?.clone());
        chosen.collect::<Option<_>>().ok_or_else(|| Error::internal("a signature has no such output"))
    }

    fn let_go(&mut self) {
        for pointer in self.pointers.drain(..) {
            // SAFETY: ours, freed once. LiteRT may hold it further, and then does not look at its memory.
            unsafe { (self.api.destroy_tensor_buffer)(pointer) }
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn tensor(memory: Memory, element: Element, shape: Vec<i64>) -> Result<Tensor, Error> {
    let data = if element.dtype == DType::String {
        let strings = strings::read(memory.as_ref());
        Data::Strings(strings.ok_or_else(|| Error::internal("LiteRT answered with strings that are none"))?)
    } else if memory.as_ref().len() < GIVE_BYTES_MIN {
        Data::Packed(Bytes::copy_from_slice(memory.as_ref()))
    } else {
        Data::Packed(Bytes::from_owner(memory))
    };
    Tensor::new(element.dtype, shape, data)
        .map_err(|error| Error::internal(format!("LiteRT's answer is not whole: {}", error.message)))
}
