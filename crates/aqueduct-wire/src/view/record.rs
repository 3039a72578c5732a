//! What every view is made of: a slice or a [`Body`], accessors of its fields, and iteration over lists.

use super::body::{Body, Later, find};
use super::text::text;
use core::fmt;
use core::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
}
pub(super) use sealed::Sealed;

/// What a [`Repeated`] field yields. Sealed: the views of this module, text and bytes.
pub trait Element<'a>: Sealed + Copy {
    /// The element whose content, without key and length, is `content`.
    fn of(content: &'a [u8]) -> Self;
}

impl Sealed for &str {}
impl<'a> Element<'a> for &'a str {
    #[inline]
    fn of(content: &'a [u8]) -> &'a str {
        text(content)
    }
}

impl Sealed for &[u8] {}
impl<'a> Element<'a> for &'a [u8] {
    #[inline]
    fn of(content: &'a [u8]) -> &'a [u8] {
        content
    }
}

/// The elements of a repeated field, in order.
///
/// # Allocation
///
/// None. Each step walks over the fields between one element and the next.
pub struct Repeated<'a, T> {
    rest: &'a [u8],
    later: Later<'a>,
    number: u8,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: Element<'a>> Repeated<'a, T> {
    #[inline(always)]
    pub(super) fn new(body: Body<'a>, number: u32) -> Repeated<'a, T> {
        let (rest, later) = body.start();
        Repeated { rest, later, number: number as u8, element: PhantomData }
    }
}

impl<'a, T: Element<'a>> Iterator for Repeated<'a, T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(content) = find(&mut self.rest, self.number) {
                return Some(T::of(content));
            }
            if self.later.is_none() {
                return None;
            }
            self.rest = self.later.next()?;
        }
    }
}

impl<'a, T: Element<'a>> core::iter::FusedIterator for Repeated<'a, T> {}

impl<T> Clone for Repeated<'_, T> {
    fn clone(&self) -> Self {
        Repeated { rest: self.rest, later: self.later, number: self.number, element: PhantomData }
    }
}

impl<T> fmt::Debug for Repeated<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeated").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

/// Defines a view of a message that is in a list, and therefore one slice.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Default)]
        pub struct $name<'a> {
            bytes: &'a [u8],
        }

        impl<'a> $name<'a> {
            /// A view of the content of one such message, without key and length. Reads nothing yet.
            #[inline]
            #[must_use]
            pub fn new(bytes: &'a [u8]) -> Self {
                Self { bytes }
            }

            /// The content of the message as it came, unknown fields included. To pass it on, write the key
            /// of a field and the length before it.
            #[inline]
            #[must_use]
            pub fn bytes(&self) -> &'a [u8] {
                self.bytes
            }

            #[inline(always)]
            fn content(&self) -> $crate::view::Body<'a> {
                $crate::view::Body::from(self.bytes)
            }
        }

        impl $crate::view::record::Sealed for $name<'_> {}
        impl<'a> $crate::view::Element<'a> for $name<'a> {
            #[inline(always)]
            fn of(content: &'a [u8]) -> Self {
                Self::new(content)
            }
        }

        /// Without the content, which is the data of others.
        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.bytes.len())
            }
        }
    };
}

/// Defines a view of a message that is not in a list, and therefore may come in pieces.
macro_rules! merged {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Default)]
        pub struct $name<'a> {
            body: $crate::view::Body<'a>,
        }

        impl<'a> $name<'a> {
            /// A view of the content of one such message, without key and length. Reads nothing yet.
            #[inline]
            #[must_use]
            pub fn new(bytes: &'a [u8]) -> Self {
                Self { body: $crate::view::Body::from(bytes) }
            }

            #[inline]
            pub(crate) fn of_body(body: $crate::view::Body<'a>) -> Self {
                Self { body }
            }

            /// The content of the message as it came, unknown fields included.
            #[inline]
            #[must_use]
            pub fn body(&self) -> $crate::view::Body<'a> {
                self.body
            }

            #[inline(always)]
            fn content(&self) -> $crate::view::Body<'a> {
                self.body
            }
        }

        /// Without the content, which is the data of others.
        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.body.len())
            }
        }
    };
}

/// Defines accessors of the fields of a view that are no messages; and, if a name for it is given, a struct
/// with all of them, read in one pass.
macro_rules! scalars {
    ($name:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $number:pat $(=> $from:ident)?,)* }) => {
        impl<'a> $name<'a> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(&self) -> $type {
                    let mut last = <$type>::default();
                    for field in self.content().fields() {
                        if matches!(field.number, $number)
                            && let Some(value) = <$type as $crate::view::fields::Scalar>::read(field)
                        {
                            last = $($from)?(value);
                        }
                    }
                    last
                }
            )*
        }
    };
    ($name:ident as $all:ident $(<$life:lifetime>)? {
        $($(#[$doc:meta])* $field:ident: $type:ty = $number:pat $(=> $from:ident)?,)*
    }) => {
        scalars! { $name { $($(#[$doc])* $field: $type = $number $(=> $from)?,)* } }

        #[doc = concat!("The fields of a [`", stringify!($name), "`] that are neither messages nor lists.")]
        #[derive(Copy, Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $all $(<$life>)? {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl<'a> $name<'a> {
            /// All fields that are neither messages nor lists, in one pass. An accessor of a single field
            /// walks over all fields too, since the last one of a number counts: with two fields or more
            /// this is the cheaper way.
            #[must_use]
            pub fn fields(&self) -> $all $(<$life>)? {
                let mut all = $all::default();
                for field in self.content().fields() {
                    match field.number {
                        $($number => {
                            if let Some(value) = <$type as $crate::view::fields::Scalar>::read(field) {
                                all.$field = $($from)?(value);
                            }
                        })*
                        _ => {}
                    }
                }
                all
            }
        }
    };
}

/// Defines accessors of the lists of messages of a view.
macro_rules! lists {
    ($name:ident { $($(#[$doc:meta])* $field:ident: $element:ty = $number:expr,)* }) => {
        impl<'a> $name<'a> {
            $(
                $(#[$doc])*
                #[inline]
                #[must_use]
                pub fn $field(&self) -> $crate::view::Repeated<'a, $element> {
                    $crate::view::Repeated::new(self.content(), $number)
                }
            )*
        }
    };
}

/// Defines accessors of the attributes of a view.
macro_rules! attributes {
    ($name:ident { $($(#[$doc:meta])* $field:ident = $number:expr,)* }) => {
        impl<'a> $name<'a> {
            $(
                $(#[$doc])*
                #[inline]
                #[must_use]
                pub fn $field(&self) -> $crate::view::Attributes<'a> {
                    $crate::view::Attributes::new(self.content(), $number)
                }
            )*
        }
    };
}

pub(super) use {attributes, lists, merged, record, scalars};
