//! Identifiers derived from names: the same scenario gives the same ids.

/// FNV-1a over the text, then mixed, so that similar names give different ids.
pub(crate) fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

/// The finaliser of splitmix64: spreads consecutive numbers over all bits.
pub(crate) fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

/// A version 4 shaped UUID whose first eight digits are `head`.
pub(crate) fn uuid_from(head: u32, seed: u64) -> String {
    let (a, b) = (mix(seed), mix(seed ^ 0x5bd1_e995));
    format!(
        "{head:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a & 0xffff,
        (a >> 16) & 0xfff,
        0x8000 | ((a >> 32) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

pub(crate) fn uuid(name: &str) -> String {
    let seed = hash(name);
    let head = u32::try_from(mix(seed ^ 1) >> 32).unwrap_or_default();
    uuid_from(head, seed)
}

/// Whether the text has the form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_a_uuid_and_differ() {
        assert!(is_uuid(&uuid("production")));
        assert_ne!(uuid("production"), uuid("production-eu"));
        assert_eq!(uuid("production"), uuid("production"));
        assert!(!is_uuid("122814690049"));
    }
}
