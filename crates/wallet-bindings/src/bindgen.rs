//! Writes the foreign halves of the bindings: `healthid-wallet-bindgen generate --library FILE --language kotlin|swift|python --out-dir DIR`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
