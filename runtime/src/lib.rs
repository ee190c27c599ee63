//! The cell: V8 isolates, their limits, and the handler contract. No TCP in here.
