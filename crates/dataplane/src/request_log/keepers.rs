//! Who keeps a request of a model with its answer: the model's log, a capture, or both; of one request, who drew it.

use super::{
    capture::Claim,
    sample::{Exchange, Messages, ModelLog},
};
use crate::{
    error::Error,
    inference::{Answered, Codec},
    tensor::Tensor,
};
use bytes::Bytes;
use std::sync::Arc;

/// Who drew a request: at least one.
#[derive(Debug)]
pub struct Drawn {
    log: Option<Arc<ModelLog>>,
    claim: Option<Claim>,
}

impl Drawn {
    /// By these; none when by nobody, which is the rule.
    #[must_use]
    pub fn by(log: Option<Arc<ModelLog>>, claim: Option<Claim>) -> Option<Box<Self>> {
        (log.is_some() || claim.is_some()).then(|| Box::new(Self { log, claim }))
    }

    /// The answer's body; if there is one, whoever drew the request gets it with its answer. `message` is the request's
    /// body, where that is a message of the gRPC service.
    pub fn encode<C: Codec>(
        &self,
        codec: C,
        message: Option<Bytes>,
        answered: Answered<'_>,
        run: &C::Run,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        let api = codec.api();
        let signature = codec.choose(answered.signatures)?.and_then(|index| answered.signatures.get(index));
        let signature = signature.map(|signature| signature.name.clone()).unwrap_or_default();
        let translated = match &message {
            Some(_) => None,
            None => codec.messages(self.model(), answered, run, &outputs),
        };
        let answer = codec.encode(answered, run, outputs)?;
        let as_sent = message.map(|request| Messages { request, response: answer.clone() });
        match as_sent.or(translated) {
            Some(messages) => self.keep(Exchange { api, version: answered.version, signature, messages }),
            None => self.drop_one(),
        }
        Ok(answer)
    }

    fn model(&self) -> &str {
        let log = self.log.as_ref().map(|log| log.model());
        log.or_else(|| self.claim.as_ref().map(Claim::model)).map_or("", AsRef::as_ref)
    }

    fn keep(&self, exchange: Exchange) {
        if let Some(claim) = &self.claim {
            claim.keep(&exchange);
        }
        if let Some(log) = &self.log {
            log.offer(exchange);
        }
    }

    fn drop_one(&self) {
        if let Some(log) = &self.log {
            log.drop_one();
        }
    }
}
