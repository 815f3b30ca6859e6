//! The BigID source: every way the platform can answer ends in the exit code that it should, and a
//! change of a case happens once or says that nobody knows.

mod exits;
mod writes;
