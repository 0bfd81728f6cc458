//! Whose doing a request's end was: the version's, its caller's, or the server's.

use crate::{error::Code, traffic::Stage};

/// Whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered.
    Answered,
    /// The version failed, or took too long.
    Failed,
    /// It could not be asked of any version as it was.
    CallersMistake,
    /// The server had no room or no time for it, or its caller went away.
    Refused,
}

impl Outcome {
    /// Whether the version had its say.
    pub(super) fn is_the_versions(self) -> bool {
        matches!(self, Self::Answered | Self::Failed)
    }

    /// What an answer of this code means, of a request that came so far.
    ///
    /// What a run answers is the version's doing whatever its code: a graph's own assertion is `INVALID_ARGUMENT`, and
    /// its lack of memory `RESOURCE_EXHAUSTED`. Whoever waits for an answer that comes too late does not care
    /// whether it was in a queue or in the model. `CANCELLED` is the path's word for a request whose caller went away,
    /// wherever it was; unless the run itself said so.
    pub(super) fn of(code: Code, stage: Stage) -> Self {
        match (code, stage) {
            (Code::Ok, _) => Self::Answered,
            (Code::Cancelled, Stage::Chosen | Stage::Running | Stage::Ran) => Self::Refused,
            (Code::DeadlineExceeded, _) | (_, Stage::Running | Stage::RunFailed | Stage::Ran) => Self::Failed,
            (
                Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented,
                Stage::Chosen,
            ) => Self::CallersMistake,
            // Full, stopping, or a defect of ours.
            (_, Stage::Chosen) => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_answers_is_the_versions_doing_whatever_its_code() {
        for code in [Code::InvalidArgument, Code::ResourceExhausted, Code::Internal, Code::Unavailable] {
            for stage in [Stage::Running, Stage::RunFailed, Stage::Ran] {
                assert_eq!(Outcome::of(code, stage), Outcome::Failed, "{code:?}");
            }
        }
        assert_eq!(Outcome::of(Code::Cancelled, Stage::RunFailed), Outcome::Failed, "it says so itself");
    }

    #[test]
    fn what_cannot_be_asked_is_the_callers_and_what_finds_no_room_the_servers() {
        assert_eq!(Outcome::of(Code::InvalidArgument, Stage::Chosen), Outcome::CallersMistake);
        assert_eq!(Outcome::of(Code::Unimplemented, Stage::Chosen), Outcome::CallersMistake);
        assert_eq!(Outcome::of(Code::ResourceExhausted, Stage::Chosen), Outcome::Refused);
        assert_eq!(Outcome::of(Code::Unavailable, Stage::Chosen), Outcome::Refused);
    }

    #[test]
    fn a_late_answer_is_the_versions_and_a_caller_that_left_nobodys() {
        for stage in [Stage::Chosen, Stage::Running, Stage::Ran] {
            assert_eq!(Outcome::of(Code::DeadlineExceeded, stage), Outcome::Failed);
            assert_eq!(Outcome::of(Code::Cancelled, stage), Outcome::Refused);
            assert_eq!(Outcome::of(Code::Ok, stage), Outcome::Answered);
        }
    }
}
