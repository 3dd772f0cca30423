#![no_main]

use checkpoint::Format;
use checkpoint_fuzz::exercise;

libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { exercise(&[Format::Pdparams], data) });
