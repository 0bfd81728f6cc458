//! Tensors of several requests made into one, and answers cut apart again. Pure.

use super::rules::Shaping;
use crate::{
    error::Error,
    tensor::{DType, Data, Tensor, element_count},
};
use bytes::{Buf, Bytes, BytesMut};
use std::{iter, ops::Range};

/// Of one tensor of a batch. Filling up multiplies what a client sent, so the product needs a bound of its own.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// TensorFlow is lent memory that starts at a multiple of this, and copies any other (`runtime/tensorflow/tensor`).
const ALIGNMENT: usize = 64;

/// What tensors must have in common to be made into one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    dtype: DType,
    /// All dimensions but the first, -1 where they may differ.
    inner: Vec<i64>,
}

impl Form {
    pub(crate) fn of(tensor: &Tensor, shaping: &Shaping) -> Self {
        let inner = tensor.shape().get(1..).unwrap_or_default();
        let inner = if shaping.pads_inner { vec![-1; inner.len()] } else { inner.to_vec() };
        Self { dtype: tensor.dtype(), inner }
    }
}

/// How many rows a request has: the size that all its tensors agree on. `INVALID_ARGUMENT` in TensorFlow Serving's
/// words (`batching/batching_util.h`).
pub(crate) fn rows(inputs: &[Tensor]) -> Result<usize, Error> {
    let mut sizes = inputs.iter().map(|tensor| {
        tensor.shape().first().copied().ok_or_else(|| {
            Error::invalid_argument("Batching Run() input tensors must have at least one dimension")
        })
    });
    let first = sizes
        .next()
        .ok_or_else(|| Error::invalid_argument("Batching Run() must have at least one input tensor"))??;
    for size in sizes {
        if size? != first {
            let text = "Batching Run() input tensors must have equal 0th-dimension size";
            return Err(Error::invalid_argument(text));
        }
    }
    usize::try_from(first).map_err(|_| Error::invalid_argument("a tensor has a negative dimension"))
}

/// Some rows of a request's tensors.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) tensors: &'a [Tensor],
    pub(crate) rows: Range<usize>,
}

/// One tensor of each of the pieces' tensors, of `size` rows: theirs, then copies of one of them.
///
/// The copies are of the first row of the last piece, as in TensorFlow Serving: it is known to be a good one.
pub(crate) fn merge(pieces: &[Piece<'_>], size: usize) -> Result<Vec<Tensor>, Error> {
    let count = pieces.first().map_or(0, |piece| piece.tensors.len());
    (0..count).map(|index| merge_one(pieces, index, size)).collect()
}

fn merge_one(pieces: &[Piece<'_>], index: usize, size: usize) -> Result<Tensor, Error> {
    let mut cut = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        let tensor =
            piece.tensors.get(index).ok_or_else(|| Error::internal("a batch's part lacks a tensor"))?;
        cut.push(slice(tensor, &piece.rows)?);
    }
    let rows: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
    let example = pieces.iter().zip(&cut).rfind(|(piece, _)| !piece.rows.is_empty());
    if let Some((_, last)) = example
        && size > rows
    {
        let row = slice(last, &(0..1))?;
        cut.extend(std::iter::repeat_n(row, size - rows));
    }
    join(&cut)
}

/// These tensors one after the other; smaller inner dimensions are filled up with zeros or empty strings.
pub(crate) fn join(tensors: &[Tensor]) -> Result<Tensor, Error> {
    let Some((first, rest)) = tensors.split_first() else {
        return Err(Error::internal("there is nothing to join"));
    };
    if rest.is_empty() {
        return Ok(first.clone());
    }
    let shape = joined_shape(first, rest)?;
    let rows: usize = tensors.iter().map(row_count).sum();
    if rows == 0 {
        return Ok(first.clone());
    }
    let width = inner_width(&shape, first.dtype())?;
    let length = width.iter().try_fold(rows, |length, size| length.checked_mul(*size));
    let unit = first.dtype().size().map_or(size_of::<Bytes>(), |_| 1);
    let length = length.filter(|length| length.saturating_mul(unit) <= BATCH_BYTES_MAX).ok_or_else(|| {
        Error::resource_exhausted(format!(
            "a batch's tensor of shape {shape:?} would be larger than {BATCH_BYTES_MAX} bytes"
        ))
    })?;
    let data = match first.data() {
        Data::Packed(_) => Data::Packed(join_packed(tensors, &width, length)?),
        Data::Strings(_) => Data::Strings(join_strings(tensors, &width, length)?),
    };
    Tensor::new(first.dtype(), shape, data)
}

fn row_count(tensor: &Tensor) -> usize {
    tensor.shape().first().and_then(|&size| usize::try_from(size).ok()).unwrap_or(0)
}

/// The sum of the first dimensions, and the largest of each of the others. A tensor without rows has no say in these:
/// it could be of any width at no cost, and all others would be filled up to that.
fn joined_shape(first: &Tensor, rest: &[Tensor]) -> Result<Vec<i64>, Error> {
    if rest
        .iter()
        .any(|tensor| tensor.dtype() != first.dtype() || tensor.shape().len() != first.shape().len())
    {
        return Err(Error::internal("tensors of unlike types or ranks came into one batch"));
    }
    let mut filled = iter::once(first).chain(rest).filter(|tensor| row_count(tensor) > 0);
    let mut shape = filled.next().unwrap_or(first).shape().to_vec();
    for tensor in filled {
        for (index, (size, other)) in shape.iter_mut().zip(tensor.shape()).enumerate() {
            *size = if index == 0 { size.saturating_add(*other) } else { (*other).max(*size) };
        }
    }
    Ok(shape)
}

/// The inner dimensions, in bytes for packed elements and in strings for strings.
fn inner_width(shape: &[i64], dtype: DType) -> Result<Vec<usize>, Error> {
    let inner = shape.get(1..).unwrap_or_default();
    element_count(inner)?;
    let sizes = inner.iter().filter_map(|&size| usize::try_from(size).ok());
    Ok(sizes.chain(dtype.size()).collect())
}

fn join_packed(tensors: &[Tensor], width: &[usize], length: usize) -> Result<Bytes, Error> {
    let mut buffer = BytesMut::with_capacity(length + ALIGNMENT);
    let offset = buffer.as_ptr().addr().wrapping_neg() % ALIGNMENT;
    buffer.resize(offset, 0);
    for tensor in tensors.iter().filter(|tensor| row_count(tensor) > 0) {
        let Data::Packed(bytes) = tensor.data() else { continue };
        let own = inner_width(tensor.shape(), tensor.dtype())?;
        if own == width {
            buffer.extend_from_slice(bytes);
        } else {
            let begin = buffer.len();
            buffer.resize(begin + row_count(tensor) * width.iter().product::<usize>(), 0);
            lay_rows(bytes, &own, buffer.get_mut(begin..).unwrap_or_default(), width);
        }
    }
    let mut joined = buffer.freeze();
    joined.advance(offset);
    Ok(joined)
}

fn join_strings(tensors: &[Tensor], width: &[usize], length: usize) -> Result<Vec<Bytes>, Error> {
    let mut joined = Vec::with_capacity(length);
    for tensor in tensors.iter().filter(|tensor| row_count(tensor) > 0) {
        let Data::Strings(strings) = tensor.data() else { continue };
        let own = inner_width(tensor.shape(), tensor.dtype())?;
        if own == width {
            joined.extend_from_slice(strings);
        } else {
            let begin = joined.len();
            joined.resize(begin + row_count(tensor) * width.iter().product::<usize>(), Bytes::new());
            lay_rows(strings, &own, joined.get_mut(begin..).unwrap_or_default(), width);
        }
    }
    Ok(joined)
}

/// Puts rows of the inner dimensions `own` into the corners of rows of the dimensions `wide`.
fn lay_rows<E: Clone>(from: &[E], own: &[usize], into: &mut [E], wide: &[usize]) {
    let (narrow, broad) = (own.iter().product(), wide.iter().product());
    if narrow == 0 || broad == 0 {
        return;
    }
    for (row, place) in from.chunks(narrow).zip(into.chunks_mut(broad)) {
        lay(row, own, place, wide);
    }
}

fn lay<E: Clone>(from: &[E], own: &[usize], into: &mut [E], wide: &[usize]) {
    let (Some((_, own_inner)), Some((_, wide_inner))) = (own.split_first(), wide.split_first()) else {
        return;
    };
    if own_inner == wide_inner {
        for (element, place) in from.iter().zip(into) {
            place.clone_from(element);
        }
    } else {
        lay_rows(from, own_inner, into, wide_inner);
    }
}

/// Some rows of a tensor; nothing is copied but references.
pub(crate) fn slice(tensor: &Tensor, rows: &Range<usize>) -> Result<Tensor, Error> {
    if *rows == (0..row_count(tensor)) {
        return Ok(tensor.clone());
    }
    let mut shape = tensor.shape().to_vec();
    if let Some(size) = shape.first_mut() {
        *size = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    }
    let width: usize = inner_width(&shape, tensor.dtype())?.iter().product();
    let range = rows.start.saturating_mul(width)..rows.end.saturating_mul(width);
    let outside = || Error::internal("a batch's rows are not where they should be");
    let data = match tensor.data() {
        Data::Packed(bytes) if range.end <= bytes.len() => Data::Packed(bytes.slice(range)),
        Data::Packed(_) => return Err(outside()),
        Data::Strings(strings) => Data::Strings(strings.get(range).ok_or_else(outside)?.to_vec()),
    };
    Tensor::new(tensor.dtype(), shape, data)
}

/// A batch's answers, cut into those of its parts, whose rows these are; `size` is how many rows ran.
/// `FAILED_PRECONDITION` in TensorFlow Serving's words for a model that does not answer row by row.
pub(crate) fn split(outputs: &[Tensor], parts: &[usize], size: usize) -> Result<Vec<Vec<Tensor>>, Error> {
    for output in outputs {
        if output.shape().is_empty() {
            return Err(Error::failed_precondition("Batched output tensor has 0 dimensions"));
        }
        if row_count(output) != size {
            return Err(Error::failed_precondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the \
                 input tensors",
            ));
        }
    }
    let mut begin = 0;
    let mut of_part = |rows: &usize| {
        let range = begin..begin + rows;
        begin = range.end;
        outputs.iter().map(|output| slice(output, &range)).collect()
    };
    parts.iter().map(&mut of_part).collect()
}

#[cfg(test)]
#[path = "tensors_tests.rs"]
mod tests;
