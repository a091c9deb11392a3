use aya::{EbpfLoader, programs::*};
fn main() {
    let data = std::fs::read("memtrace-ebpf/prebuilt/memtrace.bpf.o").unwrap();
    let mut e = EbpfLoader::new().map_max_entries("EVENTS", 1<<24).load(&data).unwrap();
    for (n, p) in e.programs_mut() {
        if let Ok(u) = <&mut UProbe>::try_from(p) {
            match u.load() { Ok(()) => println!("{n}: {:?}", u.info().unwrap().verified_instruction_count()), Err(x) => { let s = format!("{x:?}"); println!("{n} FAILED ...{}", &s[s.len().saturating_sub(1500)..].replace("\\n", "\n")) } }
        }
    }
}
