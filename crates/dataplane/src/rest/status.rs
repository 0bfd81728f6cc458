//! A model's versions and their states, as protocol buffers print `GetModelStatusResponse`.

use super::proto_json::ProtoWriter;
use crate::wire::tensorflow::{
    error::Code,
    serving::{ModelVersionStatus, StatusProto, model_version_status::State},
};

/// The answer's body.
#[must_use]
pub fn write(versions: &[ModelVersionStatus]) -> Vec<u8> {
    let mut writer = ProtoWriter::default();
    writer.object(|writer| {
        writer.field("model_version_status", |writer| writer.list(versions, write_version));
    });
    writer.raw(|out| out.push(b'\n'));
    writer.finish()
}

fn write_version(writer: &mut ProtoWriter, version: &ModelVersionStatus) {
    writer.object(|writer| {
        writer.field("version", |writer| writer.quoted(version.version));
        writer.field("state", |writer| match State::try_from(version.state) {
            Ok(state) => writer.string(state.as_str_name()),
            Err(_) => writer.plain(version.state),
        });
        if let Some(status) = &version.status {
            writer.field("status", |writer| write_status(writer, status));
        }
    });
}

fn write_status(writer: &mut ProtoWriter, status: &StatusProto) {
    writer.object(|writer| {
        writer.field("error_code", |writer| match Code::try_from(status.error_code) {
            Ok(code) => writer.string(code.as_str_name()),
            Err(_) => writer.plain(status.error_code),
        });
        writer.field("error_message", |writer| writer.string(&status.error_message));
    });
}
