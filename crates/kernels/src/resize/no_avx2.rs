use super::opencv::Group;
use super::pillow::{Fours, ROWS, Weighted};
use crate::engine::Isa;

/// No CPU of this kind has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Avx2 {}

impl Avx2 {
    pub(crate) fn of(_: Isa) -> Option<Self> {
        None
    }

    pub(crate) fn call(self, _: impl FnOnce()) {
        match self {}
    }

    pub(super) fn mix_columns(self, _: &[u8], _: &[Group], _: &mut [i16]) -> bool {
        match self {}
    }

    pub(super) fn mix_rows(self, _: [&[i16]; 2], _: [i16; 2], _: &mut [u8]) {
        match self {}
    }

    pub(super) fn filter_columns(self, _: [&[u8]; ROWS], _: &Fours, _: &mut [u8]) -> bool {
        match self {}
    }

    pub(super) fn filter_rows(self, _: [Weighted; 2], _: &mut [u8]) {
        match self {}
    }
}
