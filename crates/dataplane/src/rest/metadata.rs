//! A model's signatures, as protocol buffers print them: field names as in the definitions, defaults printed,
//! 64-bit integers in quotes, fields in the order of their numbers.

use super::{json::decimal, proto_json::ProtoWriter};
use crate::wire::tensorflow::{
    DataType, SignatureDef, TensorInfo, TensorProto, TensorShapeProto, serving::SignatureDefMap,
    tensor_info::Encoding,
};
use std::collections::BTreeMap;

/// The answer's body. `model` is the name as the client wrote it.
#[must_use]
pub fn write(model: &str, version: i64, definitions: &SignatureDefMap) -> Vec<u8> {
    let mut writer = ProtoWriter::default();
    writer.raw(|out| out.extend_from_slice(b"{\n\"model_spec\":"));
    writer.object(|writer| {
        writer.field("name", |writer| writer.string(model));
        writer.field("version", |writer| writer.quoted(version));
        writer.field("signature_name", |writer| writer.string(""));
    });
    // TensorFlow Serving joins two printed messages by hand, and so are its blanks.
    writer.raw(|out| out.extend_from_slice(b"\n,\n\"metadata\": {\"signature_def\": "));
    writer.object(|writer| {
        writer
            .field("signature_def", |writer| write_map(writer, &definitions.signature_def, write_signature));
    });
    writer.raw(|out| out.extend_from_slice(b"\n}\n}\n"));
    writer.finish()
}

fn write_map<T>(writer: &mut ProtoWriter, map: &BTreeMap<String, T>, write: impl Fn(&mut ProtoWriter, &T)) {
    writer.object(|writer| {
        for (key, value) in map {
            writer.field(key, |writer| write(writer, value));
        }
    });
}

fn write_signature(writer: &mut ProtoWriter, signature: &SignatureDef) {
    writer.object(|writer| {
        writer.field("inputs", |writer| write_map(writer, &signature.inputs, write_info));
        writer.field("outputs", |writer| write_map(writer, &signature.outputs, write_info));
        writer.field("method_name", |writer| writer.string(&signature.method_name));
        writer.field("defaults", |writer| write_map(writer, &signature.defaults, write_tensor));
    });
}

fn write_info(writer: &mut ProtoWriter, info: &TensorInfo) {
    writer.object(|writer| {
        if let Some(Encoding::Name(name)) = &info.encoding {
            writer.field("name", |writer| writer.string(name));
        }
        writer.field("dtype", |writer| write_dtype(writer, info.dtype));
        write_shape(writer, info.tensor_shape.as_ref());
        if let Some(Encoding::CooSparse(sparse)) = &info.encoding {
            writer.field("coo_sparse", |writer| {
                writer.object(|writer| {
                    writer.field("values_tensor_name", |writer| writer.string(&sparse.values_tensor_name));
                    writer.field("indices_tensor_name", |writer| writer.string(&sparse.indices_tensor_name));
                    writer.field("dense_shape_tensor_name", |writer| {
                        writer.string(&sparse.dense_shape_tensor_name);
                    });
                });
            });
        }
    });
}

fn write_dtype(writer: &mut ProtoWriter, number: i32) {
    match DataType::try_from(number) {
        Ok(dtype) => writer.string(dtype.as_str_name()),
        Err(_) => writer.plain(number),
    }
}

fn write_shape(writer: &mut ProtoWriter, shape: Option<&TensorShapeProto>) {
    let Some(shape) = shape else { return };
    writer.field("tensor_shape", |writer| {
        writer.object(|writer| {
            writer.field("dim", |writer| {
                writer.list(&shape.dim, |writer, dimension| {
                    writer.object(|writer| {
                        writer.field("size", |writer| writer.quoted(dimension.size));
                        writer.field("name", |writer| writer.string(&dimension.name));
                    });
                });
            });
            writer.field("unknown_rank", |writer| writer.plain(shape.unknown_rank));
        });
    });
}

fn write_tensor(writer: &mut ProtoWriter, tensor: &TensorProto) {
    writer.object(|writer| {
        writer.field("dtype", |writer| write_dtype(writer, tensor.dtype));
        write_shape(writer, tensor.tensor_shape.as_ref());
        writer.field("version_number", |writer| writer.plain(tensor.version_number));
        writer.field("tensor_content", |writer| writer.bytes(&tensor.tensor_content));
        writer.field("float_val", |writer| writer.list(tensor.float_val.iter().copied(), write_float));
        writer.field("double_val", |writer| writer.list(tensor.double_val.iter().copied(), write_double));
        writer.field("int_val", |writer| writer.list(&tensor.int_val, ProtoWriter::plain));
        writer.field("string_val", |writer| {
            writer.list(&tensor.string_val, |writer, bytes| writer.bytes(bytes));
        });
        writer.field("scomplex_val", |writer| writer.list(tensor.scomplex_val.iter().copied(), write_float));
        writer.field("int64_val", |writer| writer.list(&tensor.int64_val, ProtoWriter::quoted));
        writer.field("bool_val", |writer| writer.list(&tensor.bool_val, ProtoWriter::plain));
        writer.field("dcomplex_val", |writer| writer.list(tensor.dcomplex_val.iter().copied(), write_double));
        writer.field("half_val", |writer| writer.list(&tensor.half_val, ProtoWriter::plain));
        // Three fields of TensorFlow's own message that no default has, but that its printer prints.
        writer.field("resource_handle_val", |writer| writer.list::<()>([], |_, ()| ()));
        writer.field("variant_val", |writer| writer.list::<()>([], |_, ()| ()));
        writer.field("uint32_val", |writer| writer.list(&tensor.uint32_val, ProtoWriter::plain));
        writer.field("uint64_val", |writer| writer.list(&tensor.uint64_val, ProtoWriter::quoted));
        writer.field("float8_val", |writer| writer.bytes(&[]));
    });
}

fn write_float(writer: &mut ProtoWriter, value: f32) {
    writer.raw(|out| decimal::write_proto_float(out, value));
}

fn write_double(writer: &mut ProtoWriter, value: f64) {
    writer.raw(|out| decimal::write_proto_double(out, value));
}
