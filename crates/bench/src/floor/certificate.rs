//! Reading this benchmark's own card certificates, by position.

/// Signed part, signature and public point of a certificate on brainpoolP256r1, by position: for this benchmark's own certificates.
pub(super) fn parts(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    /// The object identifier brainpoolP256r1, the BIT STRING of 66 bytes behind it.
    const BEFORE_POINT: [u8; 14] = [
        0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let body = der.get(4..)?;
    let length = 4 + usize::from(u16::from_be_bytes([*body.get(2)?, *body.get(3)?]));
    let (to_be_signed, rest) = body.split_at_checked(length)?;
    let algorithm = 2 + usize::from(*rest.get(1)?);
    let signature = rest.get(algorithm + 3..)?;
    let at = to_be_signed
        .windows(BEFORE_POINT.len())
        .position(|window| window == BEFORE_POINT)?;
    let point = to_be_signed.get(at + BEFORE_POINT.len()..at + BEFORE_POINT.len() + 65)?;
    Some((to_be_signed, signature, point))
}

/// The health insurance number in a card's certificate: a text of ten characters, `X` and nine digits.
pub(super) fn find_kvnr(der: &[u8]) -> Option<&str> {
    der.windows(10)
        .find(|window| window[0] == b'X' && window[1..].iter().all(u8::is_ascii_digit))
        .and_then(|window| std::str::from_utf8(window).ok())
}
