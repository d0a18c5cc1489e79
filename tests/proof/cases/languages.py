"""Programs of another language than C: Rust's, with the library that comes with the compiler."""

from __future__ import annotations

from tests.proof.cases.row import Row

WORK = (
    "use std::sync::atomic::{AtomicUsize, Ordering};\nuse std::sync::Arc;\nuse std::thread;\n"
    "fn main() {\n    let count = Arc::new(AtomicUsize::new(0));\n"
    "    let all: Vec<_> = (0..3).map(|i| { let one = count.clone();\n"
    "        thread::spawn(move || { one.fetch_add(i, Ordering::SeqCst); }) }).collect();\n"
    "    for one in all { one.join().unwrap(); }\n"
    "    let sum: f32 = (0..64).map(|x| (x as f32 * 1.5).floor()).sum();\n"
    '    println!("{} {}", count.load(Ordering::SeqCst), sum);\n}\n'
)


def _rust(name: str, what: str, options: str) -> Row:
    steps = (f"$CC {options} main.rs -o tree/bin/main",)
    return Row(name, f"Rust 1.63, {what}", steps, {"main.rs": WORK}, compiler="rust")


ROWS = (
    _rust("threads", "threads, atomics and floats", ""),
    _rust("threads-stripped", "the same, stripped", "-C strip=symbols"),
    _rust("threads-lto", "the same, as one unit of a few functions", "-C lto -C panic=abort"),
)
