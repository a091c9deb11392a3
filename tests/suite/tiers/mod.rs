//! How closely a process is watched, within a budget: exactly, in windows, and what is known then.

mod budget;
mod estimates;
mod python;
mod shapes;
mod traces;
