//! The fast path of networks gives what their plain version gives, image by image, at every level of vectors.

use bitline_golden::draw::Draw;
use bitline_golden::error::GoldenError;
use bitline_golden::network::{Geometry, Network, NetworkError, Pool};
use bitline_golden::packed::{Level, PackedNetwork};
use ndarray::Array2;

/// Bits set in the codes of a layer's windows, plainly: window by window, as often as the squares of the pool read it.
fn pulses(network: &Network, at: usize, codes: &[u8]) -> u64 {
    let layer = &network.layers[at];
    let bits = |codes: &[u8]| codes.iter().map(|code| u64::from(code.count_ones())).sum::<u64>();
    let Geometry::Convolution(convolution) = layer.geometry else { return bits(codes) };
    let (pool, windows) = (layer.pool.unwrap_or(Pool::NONE), layer.windows());
    let mut all = 0;
    for (y, x) in (0..pool.squares(windows.height)).flat_map(|y| (0..pool.squares(windows.width)).map(move |x| (y, x)))
    {
        for (dy, dx) in (0..pool.size).flat_map(|dy| (0..pool.size).map(move |dx| (dy, dx))) {
            all += bits(&convolution.window(codes, y * pool.stride + dy, x * pool.stride + dx));
        }
    }
    all
}

fn compare(network: &Network, images: &Array2<u8>, what: &str) {
    let (mut sums, mut classes, mut margins) = (vec![], vec![], vec![]);
    let mut expected_pulses = vec![0; network.layers.len()];
    for image in images.rows() {
        let (results, verdict) = network.evaluate(image.to_slice().unwrap());
        for (at, expected) in expected_pulses.iter_mut().enumerate() {
            let codes = if at == 0 { image.to_slice().unwrap() } else { &results[at - 1].codes };
            *expected += pulses(network, at, codes);
        }
        sums.extend_from_slice(&results.last().unwrap().sums);
        classes.push(verdict.class);
        margins.push(verdict.margin);
    }
    // Every other image has the label that makes it right.
    let labels: Vec<Option<u8>> =
        classes.iter().enumerate().map(|(i, class)| Some(if i % 2 == 0 { *class as u8 } else { 255 })).collect();
    for level in Level::available() {
        for threads in [1, 2] {
            let packed = PackedNetwork::with_level(network, level).unwrap().threads(threads);
            let run = packed.run(images, &labels).unwrap();
            assert_eq!(run.sums.as_slice().unwrap(), sums, "{what}, {level:?}");
            assert_eq!((&run.classes, &run.margins), (&classes, &margins), "{what}, {level:?}");
            assert_eq!(run.input_pulses, expected_pulses, "{what}, {level:?}");
            assert_eq!(run.correct, images.nrows().div_ceil(2) as u64, "{what}, {level:?}");
        }
    }
}

fn images(draw: &mut Draw, network: &Network, count: usize) -> Array2<u8> {
    let first = &network.layers[0];
    Array2::from_shape_simple_fn((count, first.input_codes()), || draw.below(1 << first.input_bits) as u8)
}

#[test]
fn random_networks_are_evaluated_alike() {
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let network = draw.network(8, 40, 8);
        let count = [0, 1, 5, 33, 70][seed as usize % 5];
        let images = images(&mut draw, &network, count);
        compare(&network, &images, &format!("seed {seed}"));
    }
}

#[test]
fn shipped_networks_are_evaluated_alike() {
    for name in ["mnist-dense", "mnist-conv", "mnist-binary", "digits-hidden", "digits-conv"] {
        let path = format!("{}/../networks/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let network = Network::load(path).unwrap();
        let images = images(&mut Draw(1), &network, 3);
        compare(&network, &images, name);
    }
}

#[test]
fn what_a_network_does_not_take_is_refused() {
    let mut network = Draw(3).network(3, 8, 8);
    network.name = "small".into();
    let packed = PackedNetwork::new(&network).unwrap();
    let (codes, bits) = (network.layers[0].input_codes(), network.layers[0].input_bits);
    let refused = packed.run(&Array2::zeros((1, codes + 1)), &[None]).unwrap_err().to_string();
    assert!(
        refused.contains(&format!("image has {} inputs", codes + 1)) && refused.contains("network small"),
        "{refused}"
    );
    let refused = packed.run(&Array2::zeros((2, codes)), &[None]).unwrap_err();
    assert_eq!(refused, GoldenError::LabelCount { labels: 1, images: 2 });
    let (mut wide, limit) = (Array2::zeros((2, codes)), (1 << bits) - 1);
    wide[[1, codes - 1]] = limit as u8;
    packed.run(&wide, &[None; 2]).unwrap();
    wide[[1, codes - 1]] += 1;
    let refused = packed.run(&wide, &[None; 2]).unwrap_err();
    let expected =
        GoldenError::InputCode { image: 1, input: codes - 1, code: limit as u8 + 1, input_bits: bits, limit };
    assert_eq!(refused, expected);
    network.layers.clear();
    assert!(matches!(PackedNetwork::new(&network), Err(NetworkError::NoLayers { .. })));
}
