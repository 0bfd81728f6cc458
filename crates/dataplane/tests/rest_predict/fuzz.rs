//! Any document at all for any signature: a verdict within the budget, and what is accepted says the same again.

use super::*;
use prop::collection::vec;

/// Values that some element type is read from, and some that none is, in lists and objects.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,5})",
        4 => "-?(0|[1-9][0-9]{0,3})\\.[0-9]{1,6}(e-?[0-9]{1,2})?",
        1 => "NaN|-?Infinity|true|false|null|18446744073709551615|-9223372036854775808",
        2 => "\"[a-é]{0,3}\"",
        1 => "\\{\"b64\": ?(\"[A-Za-z0-9+/]{0,4}={0,2}\"|1)\\}",
        2 => "\\{\"re\": ?-?[0-9](\\.5)?, \"im\": ?(NaN|[0-9])\\}",
    ];
    leaf.prop_recursive(4, 48, 4, |inner| {
        let member = ("[xyz]", inner.clone()).prop_map(|(name, value)| format!("\"{name}\": {value}"));
        prop_oneof![
            4 => vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(", "))),
            4 => (inner, 1..4_usize).prop_map(|(value, times)| format!("[{}]", vec![value; times].join(", "))),
            1 => vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    })
}

fn bodies() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["inputs", "instances"]);
    let filter = prop_oneof![3 => Just(""), 1 => Just("\"output_filter\": [\"x\"], "), 1 => Just("\"output_filter\": [], ")];
    (filter, key, values()).prop_map(|(filter, key, value)| format!("{{{filter}\"{key}\": {value}}}"))
}

/// One to three inputs of any types, any of which may have a default.
fn signatures() -> impl Strategy<Value = Signature> {
    let names = prop::sample::select(vec![vec!["x"], vec!["x"], vec!["x", "y"], vec!["x", "y", "z"], vec![]]);
    (names, vec(prop::sample::select(DType::ALL.to_vec()), 3), vec(any::<bool>(), 3)).prop_map(
        |(names, dtypes, have_defaults)| {
            let inputs = names.iter().copied().zip(dtypes).collect::<Vec<_>>();
            let given = names.iter().zip(have_defaults).filter(|(_, has_default)| *has_default);
            let defaults = given.map(|(name, _)| ((*name).to_owned(), floats(&[], &[1.0]))).collect();
            Signature { defaults, ..echo(&inputs) }
        },
    )
}

/// Whether its strings, if it has any, can be written as they are: base64 may bring any bytes in.
fn is_text(tensor: &Tensor) -> bool {
    let Data::Strings(strings) = tensor.data() else { return true };
    strings.iter().all(|bytes| std::str::from_utf8(bytes).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_document_gets_a_verdict_within_the_budget(body in bodies(), signature in signatures(), room in 0_usize..4_096) {
        let budget = Budget::new(room, Arc::default());
        let answered = budget.charge(0).and_then(|charge| RestPredict::parse(body.clone().into(), charge, Rules::default()));
        let decoded = answered.and_then(|mut codec| {
            codec.decode(&only(&signature))?;
            assert!(budget.bytes() <= room);
            Ok(())
        });
        prop_assert_eq!(budget.bytes(), 0, "given back");
        let unbounded = decode(&signature, body);
        match (decoded, unbounded) {
            (Err(refusal), _) if refusal.code == Code::ResourceExhausted => {}
            (bounded, unbounded) => prop_assert_eq!(bounded, unbounded.map(|_| ())),
        }
    }

    #[test]
    fn what_was_read_is_written_so_that_it_is_read_again(body in bodies(), dtype in prop::sample::select(DType::ALL.to_vec())) {
        let signature = echo(&[("x", dtype)]);
        let Ok(tensors) = decode(&signature, body) else { return Ok(()) };
        // Of a dimension below an empty one lists say nothing; text that is no UTF-8 is no JSON.
        let shape = tensors[0].shape();
        prop_assume!(!shape.iter().rev().skip(1).any(|&size| size == 0));
        prop_assume!(is_text(&tensors[0]));
        let answer = predict(&signature, r#"{"inputs": []}"#, |_| tensors.clone());
        let Ok(answer) = answer else {
            prop_assert!(dtype.name().starts_with('q'));
            return Ok(());
        };
        let again = decode(&signature, answer.replacen("\"outputs\"", "\"inputs\"", 1)).unwrap();
        prop_assert_eq!(again, tensors, "{}", answer);
    }
}
