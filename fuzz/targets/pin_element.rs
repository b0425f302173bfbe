//! Points for the PIN: whatever is taken for one comes back as the same bytes, and so does its product.

#![no_main]

use authenticator::pin::{Element, PinShare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(element) = Element::parse(text)
    {
        assert_eq!(element.to_text(), text);
    }
    let Ok(element) = Element::from_bytes(data) else { return };
    assert_eq!(element.to_bytes(), data);
    let share = PinShare::new(|bytes| bytes.fill(7)).expect("a scalar");
    let product = share.evaluate(element).expect("a product");
    assert_eq!(
        Element::from_bytes(&product.to_bytes()),
        Ok(product),
        "never the point at infinity"
    );
});
