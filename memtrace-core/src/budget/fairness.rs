//! Shares out what is not enough for all: nobody gets more than he asks for, and nobody gets less than another who
//! gets less than he asks for (max-min fairness).

/// What each of `demands` gets of `supply`, in their order.
pub(super) fn share_out(supply: f64, demands: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by(|one, other| demands[*one].total_cmp(&demands[*other]));
    let mut given = vec![0.0; demands.len()];
    let mut left = supply.max(0.0);
    for (served, index) in order.into_iter().enumerate() {
        let part = left / (demands.len() - served) as f64;
        given[index] = demands[index].max(0.0).min(part);
        left -= given[index];
    }
    given
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_modest_get_what_they_ask_for_and_the_others_the_same() {
        assert_eq!(share_out(10.0, &[8.0, 1.0, 9.0]), [4.5, 1.0, 4.5]);
        assert_eq!(share_out(10.0, &[1.0, 2.0]), [1.0, 2.0]);
        assert_eq!(share_out(-1.0, &[1.0]), [0.0]);
        assert!(share_out(1.0, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_more_is_given_than_there_is_or_was_asked_for(supply in 0.0..100.0_f64, demands in prop::collection::vec(0.0..50.0_f64, 0..40)) {
            let given = share_out(supply, &demands);
            prop_assert!(given.iter().sum::<f64>() <= supply + 1e-6);
            prop_assert!(given.iter().zip(&demands).all(|(given, demand)| *given <= demand + 1e-9));
        }
    }
}
