//! A Predict answer's JSON: `predictions` row by row, or `outputs` tensor by tensor.

use super::{
    json::{Writer, decimal, write_complex, write_integer},
    predict_request::Form,
};
use crate::{
    error::Error,
    tensor::{DType, Data, Tensor},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::ops::Range;

/// Strings of an output with such a name are bytes, and are written as base64.
const BYTES_SUFFIX: &str = "_bytes";

/// A tensor without elements may still be lists of empty lists; so many are written, then it is refused.
const EMPTY_LISTS_MAX: i64 = 1 << 20;

/// What an element takes on average, brackets and commas included.
const ELEMENT_BYTES_TYPICAL: usize = 14;

/// Writes named outputs in the form that the request had.
pub fn write(form: Form, outputs: &[(&str, &Tensor)]) -> Result<Vec<u8>, Error> {
    if outputs.is_empty() {
        return Err(Error::invalid_argument("Cannot convert empty tensor map to JSON"));
    }
    let views =
        outputs.iter().map(|(name, tensor)| View::new(name, tensor)).collect::<Result<Vec<_>, _>>()?;
    let elements = views.iter().map(|view| view.count).sum::<usize>();
    let mut writer = Writer::with_capacity(elements * ELEMENT_BYTES_TYPICAL + 64);
    writer.start_object();
    match form {
        Form::Rows => write_rows(&mut writer, views)?,
        Form::Columns => write_columns(&mut writer, views)?,
    }
    writer.end_object();
    Ok(writer.finish())
}

fn write_rows(writer: &mut Writer, mut views: Vec<View<'_>>) -> Result<(), Error> {
    let batch = batch_size(&views)?;
    writer.string(b"predictions");
    writer.start_array();
    let are_named = views.len() > 1;
    for _ in 0..batch {
        if are_named {
            writer.start_object();
        }
        writer.single_line = true;
        for view in &mut views {
            if are_named {
                writer.string(view.name.as_bytes());
            }
            view.write(writer, 1)?;
        }
        writer.single_line = false;
        if are_named {
            writer.end_object();
        }
    }
    writer.end_array();
    Ok(())
}

fn batch_size(views: &[View<'_>]) -> Result<i64, Error> {
    let mut batch = None;
    for view in views {
        let name = view.name;
        let &size = view.shape.first().ok_or_else(|| {
            Error::invalid_argument(format!("Tensor name: {name} has no shape information "))
        })?;
        let expected = *batch.get_or_insert(size);
        if size != expected {
            return Err(Error::invalid_argument(format!(
                "Tensor name: {name} has inconsistent batch size: {size} expecting: {expected}"
            )));
        }
    }
    Ok(batch.unwrap_or_default())
}

fn write_columns(writer: &mut Writer, views: Vec<View<'_>>) -> Result<(), Error> {
    writer.string(b"outputs");
    let are_named = views.len() > 1;
    if are_named {
        writer.start_object();
    }
    for mut view in views {
        if are_named {
            writer.string(view.name.as_bytes());
        }
        view.write(writer, 0)?;
    }
    if are_named {
        writer.end_object();
    }
    Ok(())
}

/// A tensor and how far it is written.
struct View<'a> {
    name: &'a str,
    dtype: DType,
    shape: &'a [i64],
    data: &'a Data,
    count: usize,
    written: usize,
}

impl<'a> View<'a> {
    fn new(name: &'a str, tensor: &'a Tensor) -> Result<Self, Error> {
        let (shape, data) = (tensor.shape(), tensor.data());
        let count = crate::tensor::element_count(shape)?;
        let lists = shape
            .iter()
            .take_while(|&&size| size != 0)
            .fold(1, |lists: i64, &size| lists.saturating_mul(size));
        if count == 0 && lists > EMPTY_LISTS_MAX {
            return Err(Error::invalid_argument(format!(
                "Tensor name: {name} of shape {shape:?} has no elements but too many empty lists to write"
            )));
        }
        Ok(Self { name, dtype: tensor.dtype(), shape, data, count, written: 0 })
    }

    /// Writes the next value of the dimensions from `dimension` on; as deep as the tensor has dimensions.
    fn write(&mut self, writer: &mut Writer, dimension: usize) -> Result<(), Error> {
        let Some(&size) = self.shape.get(dimension) else { return self.write_elements(writer, 1) };
        writer.start_array();
        if dimension + 1 == self.shape.len() {
            self.write_elements(writer, usize::try_from(size).unwrap_or_default())?;
        } else {
            (0..size).try_for_each(|_| self.write(writer, dimension + 1))?;
        }
        writer.end_array();
        Ok(())
    }

    /// The one place that says how each element type is written; a type joins by a line here.
    fn write_elements(&mut self, writer: &mut Writer, count: usize) -> Result<(), Error> {
        let range = self.written..self.written + count;
        self.written = range.end;
        let bytes = match self.data {
            Data::Packed(bytes) => bytes,
            Data::Strings(strings) => {
                self.write_strings(writer, strings.get(range).unwrap_or_default());
                return Ok(());
            }
        };
        match self.dtype {
            DType::Float => each(writer, bytes, range, |out, bytes| {
                decimal::write_float(out, f32::from_le_bytes(bytes));
            }),
            DType::Double => each(writer, bytes, range, |out, bytes| {
                decimal::write_double(out, f64::from_le_bytes(bytes));
            }),
            DType::Half => each(writer, bytes, range, |out, bytes| {
                decimal::write_half(out, u16::from_le_bytes(bytes));
            }),
            DType::BFloat16 => each(writer, bytes, range, |out, bytes| {
                decimal::write_bfloat16(out, u16::from_le_bytes(bytes));
            }),
            DType::Int8 => integers(writer, bytes, range, i8::from_le_bytes),
            DType::Int16 => integers(writer, bytes, range, i16::from_le_bytes),
            DType::Int32 => integers(writer, bytes, range, i32::from_le_bytes),
            DType::Int64 => integers(writer, bytes, range, i64::from_le_bytes),
            DType::UInt8 => integers(writer, bytes, range, u8::from_le_bytes),
            DType::UInt16 => integers(writer, bytes, range, u16::from_le_bytes),
            DType::UInt32 => integers(writer, bytes, range, u32::from_le_bytes),
            DType::UInt64 => integers(writer, bytes, range, u64::from_le_bytes),
            DType::Bool => each(writer, bytes, range, |out, [byte]| {
                out.extend_from_slice(if byte == 0 { b"false" } else { b"true" });
            }),
            DType::Complex64 => each(writer, bytes, range, |out, bytes: [u8; 8]| {
                let parts: [[u8; 4]; 2] = bytemuck::cast(bytes);
                write_complex(out, parts.map(f32::from_le_bytes), decimal::write_float);
            }),
            DType::Complex128 => each(writer, bytes, range, |out, bytes: [u8; 16]| {
                let parts: [[u8; 8]; 2] = bytemuck::cast(bytes);
                write_complex(out, parts.map(f64::from_le_bytes), decimal::write_double);
            }),
            _ if count == 0 => {}
            _ => {
                let name = self.dtype.name();
                return Err(Error::invalid_argument(format!(
                    "Failed to write JSON value for tensor type: {name}"
                )));
            }
        }
        Ok(())
    }

    fn write_strings(&self, writer: &mut Writer, strings: &[bytes::Bytes]) {
        for string in strings {
            if self.name.ends_with(BYTES_SUFFIX) {
                writer.start_object();
                writer.string(super::elements::BASE64_KEY.as_bytes());
                writer.string(STANDARD.encode(string).as_bytes());
                writer.end_object();
            } else {
                writer.string(string);
            }
        }
    }
}

/// Writes each element of `range`, which are integers that `read` makes of their bytes.
fn integers<const N: usize, I: itoa::Integer>(
    writer: &mut Writer,
    bytes: &[u8],
    range: Range<usize>,
    read: impl Fn([u8; N]) -> I,
) {
    each(writer, bytes, range, |out, bytes| write_integer(out, read(bytes)));
}

/// Writes each element of `range`, from its bytes.
fn each<const N: usize>(
    writer: &mut Writer,
    bytes: &[u8],
    range: Range<usize>,
    write: impl Fn(&mut Vec<u8>, [u8; N]),
) {
    let bytes = bytes.get(range.start * N..range.end * N).unwrap_or_default();
    writer.elements(bytes.as_chunks::<N>().0.iter().copied(), write);
}
