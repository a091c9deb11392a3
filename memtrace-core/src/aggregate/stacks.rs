//! What the kernel's stack ids stand for.
//!
//! The kernel side sends a stack when it sees its id for the first time, and again after it forgot the id. Ids are
//! kept in two generations: a used one moves to the young generation; when that is full, the old one is dropped and
//! the young one becomes old. So the `limit / 2` ids used last are always known, at a constant cost.

use std::sync::Arc;

use hashbrown::HashMap;
use memtrace_common::Domain;

use super::sites::SiteNumber;
use crate::model::FrameRef;

/// A stack that is known.
#[derive(Debug)]
pub(super) struct Stack {
    check: u64,
    pub(super) frames: Arc<[FrameRef]>,
    /// For each domain, its site; unset until the first allocation.
    sites: [Option<SiteNumber>; 2],
}

impl Stack {
    pub(super) const fn site(&self, domain: Domain) -> Option<SiteNumber> {
        self.sites[domain as usize - 1]
    }

    pub(super) const fn set_site(&mut self, domain: Domain, site: SiteNumber) {
        self.sites[domain as usize - 1] = Some(site);
    }
}

/// The answer to the last question; allocations often come in rows from one place.
#[derive(Clone, Copy, Debug)]
struct Last {
    stack_id: u64,
    domain: Domain,
    site: SiteNumber,
}

#[derive(Debug, Default)]
pub(super) struct Stacks {
    young: HashMap<u64, Stack>,
    old: HashMap<u64, Stack>,
    last: Option<Last>,
}

impl Stacks {
    /// Notes what an id stands for from now on. True when it stood for a different stack, by its check.
    pub(super) fn define(
        &mut self,
        stack_id: u64,
        check: u64,
        frames: Arc<[FrameRef]>,
        limit: usize,
    ) -> bool {
        self.last = None;
        if let Some(known) = self.get_mut(stack_id, limit) {
            let collides = known.check != check;
            if collides || known.frames != frames {
                *known = Stack { check, frames, sites: [None; 2] };
            }
            return collides;
        }
        self.insert_young(stack_id, Stack { check, frames, sites: [None; 2] }, limit);
        false
    }

    /// The stack with this id; using it makes it young.
    pub(super) fn get_mut(&mut self, stack_id: u64, limit: usize) -> Option<&mut Stack> {
        if !self.young.contains_key(&stack_id) {
            let stack = self.old.remove(&stack_id)?;
            self.insert_young(stack_id, stack, limit);
        }
        self.young.get_mut(&stack_id)
    }

    fn insert_young(&mut self, stack_id: u64, stack: Stack, limit: usize) {
        if self.young.len() >= (limit / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
            self.last = None;
        }
        self.young.insert(stack_id, stack);
    }

    /// The site of a stack that is young and has one: nearly every event's way.
    #[inline]
    pub(super) fn site(&mut self, stack_id: u64, domain: Domain) -> Option<SiteNumber> {
        if let Some(last) = self.last
            && last.stack_id == stack_id
            && last.domain == domain
        {
            return Some(last.site);
        }
        let site = self.young.get(&stack_id)?.site(domain)?;
        self.last = Some(Last { stack_id, domain, site });
        Some(site)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(line: u32) -> Arc<[FrameRef]> {
        Arc::new([FrameRef::Python { function: 1, line }])
    }

    #[test]
    fn the_ids_used_last_are_known_and_the_number_of_ids_is_bounded() {
        let mut stacks = Stacks::default();
        for stack_id in 1..=1_000 {
            stacks.define(stack_id, 0, frames(1), 20);
            assert!(stacks.get_mut(1, 20).is_some(), "id 1 was used just before {stack_id} came");
            assert!(stacks.young.len() + stacks.old.len() <= 20);
        }
        assert!(stacks.get_mut(999, 20).is_some());
        assert!(stacks.get_mut(500, 20).is_none());
    }

    #[test]
    fn only_another_check_is_a_collision() {
        let mut stacks = Stacks::default();
        assert!(!stacks.define(1, 5, frames(1), 20));
        assert!(!stacks.define(1, 5, frames(1), 20));
        assert!(!stacks.define(1, 5, frames(2), 20));
        assert!(stacks.define(1, 6, frames(2), 20));
    }
}
