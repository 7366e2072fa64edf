fn inner(list: &[i32], at: usize) -> i32 {
    list[at] // HERE
}

fn main() {
    println!("{}", inner(&[1], std::env::args().count()));
}
