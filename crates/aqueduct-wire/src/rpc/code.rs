//! The status codes of gRPC.

use core::fmt;
use core::str::FromStr;

/// A gRPC status code. Complete: the gRPC specification says that there are no others, and that an unknown
/// number is to be read as [`Code::Unknown`].
#[repr(u8)]
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// No error.
    Ok = 0,
    /// The caller gave up.
    Cancelled = 1,
    /// An error without a code of its own.
    Unknown = 2,
    /// The request is wrong whatever the state of the server.
    InvalidArgument = 3,
    /// The deadline passed.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be created exists.
    AlreadyExists = 6,
    /// The caller may not do that.
    PermissionDenied = 7,
    /// A quota or a limit is reached. In OTLP retryable only with a `RetryInfo`.
    ResourceExhausted = 8,
    /// The state of the server does not allow it.
    FailedPrecondition = 9,
    /// A conflict with another request.
    Aborted = 10,
    /// Beyond the valid range.
    OutOfRange = 11,
    /// No such method.
    Unimplemented = 12,
    /// The server is broken.
    Internal = 13,
    /// The server cannot answer now; try again.
    Unavailable = 14,
    /// Data is lost or corrupted.
    DataLoss = 15,
    /// The caller did not say who it is.
    Unauthenticated = 16,
}

impl Code {
    /// Every code, by number.
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The code with this number; [`Code::Unknown`] for a number that is none.
    #[must_use]
    pub const fn from_u32(number: u32) -> Code {
        if number < Code::ALL.len() as u32 { Code::ALL[number as usize] } else { Code::Unknown }
    }

    /// The number, 0 to 16.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self as u32
    }

    /// The name in the specification, such as `"UNAVAILABLE"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::Ok => "OK",
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is neither the name nor the number of a code.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown gRPC status code, expected a name such as UNAVAILABLE or a number from 0 to 16")
    }
}

impl core::error::Error for UnknownCode {}

impl FromStr for Code {
    type Err = UnknownCode;

    /// The number or the name, in any case.
    fn from_str(text: &str) -> Result<Code, UnknownCode> {
        let code = match text.parse::<usize>() {
            Ok(number) => Code::ALL.get(number).copied(),
            Err(_) => Code::ALL.into_iter().find(|code| code.as_str().eq_ignore_ascii_case(text)),
        };
        code.ok_or(UnknownCode)
    }
}
