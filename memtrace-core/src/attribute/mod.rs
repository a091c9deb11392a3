//! Stage attribute: whose code an address is, and which line of which function.
//!
//! In: a decoded stack, a process' [`AddressSpace`], its Python code ([`PythonCode`]). Out: the [`FrameRef`]s that
//! make a site. It refuses to look up native names: that is done later, and only for what is shown.
//!
//! Invariant: equal frames mean the same place, so sites can be compared by their frames. An address that is no code
//! ends the native stack with a reason; it never passes for a frame.
//!
//! [`FrameRef`]: crate::model::FrameRef

mod address_space;
pub mod interesting;
mod names;
pub mod python;
mod python_code;
mod stack;

pub use address_space::{AddressSpace, CodeRange};
pub use names::{FunctionName, FunctionNames};
pub use python_code::PythonCode;
pub use stack::{Attributed, attribute};
