//! Random choices that can be repeated.

/// A small generator (`SplitMix64`). Its seed is printed, and can be given as `ASSIZE_SEED`.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// With the seed of `ASSIZE_SEED`, or a new one.
    pub fn new() -> Self {
        let given = std::env::var("ASSIZE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos()) ^ now.as_secs()
        });
        println!("ASSIZE_SEED={seed}");
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.any() % end.max(1)).unwrap()
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
