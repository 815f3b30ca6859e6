//! The BigID source: every way the platform can answer ends in the exit code that it should, and a
//! change of a case happens once, or its result is reported as unknown.

mod exits;
mod writes;
