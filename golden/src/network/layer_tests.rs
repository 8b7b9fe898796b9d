//! Layers of maps: convolution, thresholds, pooling, and networks of several layers.

use super::*;
use ndarray::Array2;
use proptest::prelude::*;

fn plain(weights: Array2<i8>, weight_bits: usize, input_bits: usize) -> Layer {
    Layer {
        geometry: Geometry::Dense,
        biases: vec![0; weights.nrows()],
        weights,
        weight_bits,
        input_bits,
        bias_code: 0,
        activation: None,
        pool: None,
        scale_factor: None,
        float: None,
    }
}

fn steps(outputs: usize, bits: usize) -> Activation {
    let thresholds = Array2::from_shape_fn((outputs, Activation::levels(bits)), |(o, i)| (o + 4 * i) as i32);
    Activation { bits, thresholds }
}

/// A convolution of a 6 x 5 map of two channels, pooled, and a dense layer on what it gives.
fn two_layers() -> Network {
    let input = MapShape { height: 6, width: 5, channels: 2 };
    let convolution = Convolution { input, kernel_height: 3, kernel_width: 2, stride: 1, padding: 1 };
    let weights = Array2::from_shape_fn((3, convolution.window_inputs()), |(o, i)| ((o * 5 + i * 3) % 15) as i8 - 7);
    let first = Layer {
        geometry: Geometry::Convolution(convolution),
        activation: Some(steps(3, 2)),
        pool: Some(Pool { size: 2, stride: 2 }),
        biases: vec![1, -2, 3],
        bias_code: 3,
        ..plain(weights, 4, 4)
    };
    let inputs = first.output_map().codes();
    let second = plain(Array2::from_shape_fn((4, inputs), |(o, i)| ((o * 7 + i) % 16) as i8 - 8), 4, 2);
    Network { name: "two".into(), layers: vec![first, second], provenance: Provenance::default(), history: vec![] }
}

#[test]
fn a_window_at_the_edge_sees_padding_as_zeros() {
    let input = MapShape { height: 2, width: 3, channels: 1 };
    let convolution = Convolution { input, kernel_height: 3, kernel_width: 3, stride: 2, padding: 1 };
    assert_eq!((convolution.windows_high(), convolution.windows_wide()), (1, 2));
    assert_eq!(convolution.window(&[1, 2, 3, 4, 5, 6], 0, 1), [0, 0, 0, 2, 3, 0, 5, 6, 0]);
}

#[test]
fn pooling_takes_the_largest_and_drops_what_fills_no_square() {
    let shape = MapShape { height: 3, width: 5, channels: 1 };
    let map = [1, 9, 2, 3, 7, 4, 5, 8, 6, 7, 9, 9, 9, 9, 9];
    let (codes, pooled) = Pool { size: 2, stride: 2 }.apply(&map, shape);
    assert_eq!((codes.as_slice(), pooled.height, pooled.width), ([9, 8].as_slice(), 1, 2));
    let (codes, pooled) = Pool { size: 3, stride: 1 }.apply(&map, shape);
    assert_eq!((codes.as_slice(), pooled.height, pooled.width), ([9, 9, 9].as_slice(), 1, 3));
}

#[test]
fn a_code_is_the_number_of_thresholds_exceeded() {
    let activation = Activation { bits: 2, thresholds: ndarray::arr2(&[[-3, 0, 0], [1, 2, 3]]) };
    let codes = |output, sums: [i32; 5]| sums.map(|y| activation.code(output, y));
    assert_eq!(codes(0, [-4, -3, -2, 0, 1]), [0, 0, 1, 1, 3]);
    assert_eq!(codes(1, [1, 2, 3, 4, i32::MAX]), [0, 1, 2, 3, 3]);
}

#[test]
fn sizes_of_s000_follow_from_its_kernels() {
    // S000: 124x129, 11x11 -> 114x119, 3x3 pool -> 38x39; 5x5, 2x2 pool -> 17x17; 3x3 -> 15x15x32 = 7200.
    let layer = |input, kernel, pool: Option<usize>| Layer {
        geometry: Geometry::Convolution(Convolution {
            input,
            kernel_height: kernel,
            kernel_width: kernel,
            stride: 1,
            padding: 0,
        }),
        pool: pool.map(|size| Pool { size, stride: size }),
        activation: Some(steps(32, 3)),
        ..plain(Array2::zeros((32, kernel * kernel * input.channels)), 4, 3)
    };
    let first = layer(MapShape { height: 124, width: 129, channels: 1 }, 11, Some(3));
    assert_eq!((first.windows().height, first.windows().width), (114, 119));
    let second = layer(first.output_map(), 5, Some(2));
    let third = layer(second.output_map(), 3, None);
    assert_eq!((first.output_map().height, first.output_map().width), (38, 39));
    assert_eq!(third.output_map().codes(), 7200);
}

#[test]
fn two_layers_give_the_second_what_the_first_gave() {
    let network = two_layers();
    network.check().unwrap();
    let image: Vec<u8> = (0..60).map(|i| (i * 7 % 16) as u8).collect();
    let (results, verdict) = network.evaluate(&image);
    assert_eq!(results[0].codes.len(), network.layers[1].inputs());
    assert!(results[0].codes.iter().any(|c| *c > 0) && results[0].codes.iter().all(|c| *c < 4));
    let by_hand = network.layers[1]
        .outputs_of(Array2::from_shape_vec((1, results[0].codes.len()), results[0].codes.clone()).unwrap().view());
    assert_eq!(results[1].sums, by_hand.row(0).to_vec());
    assert_eq!(
        i32::from(verdict.class),
        results[1].sums.iter().enumerate().max_by_key(|(i, y)| (**y, usize::MAX - i)).unwrap().0 as i32
    );
}

#[test]
fn a_network_of_maps_survives_its_file() {
    let network = two_layers();
    assert_eq!(Network::from_bytes("f", &network.to_bytes()).unwrap(), network);
    assert_eq!(Network::from_bytes("f", &network.to_bytes()).unwrap().to_bytes(), network.to_bytes());
}

#[test]
fn layers_that_do_not_fit_each_other_are_refused_with_the_numbers() {
    let refused = |edit: &dyn Fn(&mut Vec<Layer>)| {
        let mut network = two_layers();
        edit(&mut network.layers);
        let error = network.check().unwrap_err();
        assert_eq!(Network::from_bytes("f", &network.to_bytes()).unwrap_err(), error);
        error.to_string()
    };
    assert_eq!(
        refused(&|layers| layers[1] = plain(Array2::zeros((4, 26)), 4, 2)),
        "network two layer 1 reads 26 codes, layer 0 gives 27; correct one of them"
    );
    assert_eq!(
        refused(&|layers| layers[1].input_bits = 3),
        "network two layer 1 reads 3 bits a code, layer 0 gives 2; correct one of them"
    );
    assert_eq!(
        refused(&|layers| layers[0].activation.as_mut().unwrap().thresholds[[1, 2]] = 4),
        "network two layer 0: threshold 2 of output 1 is 4, below the one before; sort them"
    );
    assert!(refused(&|layers| layers[0].activation = None).contains("layer 0 has no thresholds"));
    assert!(refused(&|layers| layers[1].activation = Some(steps(4, 1))).contains("layer 1 is the last and has"));
    assert!(refused(&|layers| layers[1].pool = Some(Pool::NONE)).contains("layer 1 pools sums"));
    assert!(
        refused(&|layers| layers[0].pool = Some(Pool { size: 7, stride: 1 })).contains("pool size is 7, must be 1..=6")
    );
    let single = |edit: &dyn Fn(&mut Convolution)| {
        refused(&|layers| {
            let Geometry::Convolution(mut convolution) = layers[0].geometry else { unreachable!() };
            edit(&mut convolution);
            layers[0].geometry = Geometry::Convolution(convolution);
        })
    };
    assert!(single(&|c| c.stride = 0).contains("stride is 0, must be 1..=255"));
    assert!(single(&|c| c.kernel_width = 8).contains("kernel width is 8, must be 1..=7"));
    assert!(single(&|c| c.kernel_height = 2).contains("weights has shape [3, 12], must have [3, 8]"));
}

#[test]
fn a_machine_of_one_layer_says_so() {
    let machine = Machine::named("digits").unwrap();
    let network = two_layers();
    assert!(network.check_fits(&machine).unwrap_err().to_string().contains("has 2 layers, machine digits runs 1"));
}

/// The convolution the other way round: every input code, times the weights of each window that sees it.
fn scattered(layer: &Layer, convolution: &Convolution, map: &[u8]) -> Vec<i32> {
    let windows = layer.windows();
    let mut sums = vec![0; windows.codes()];
    let shape = convolution.input;
    for (y, x, c) in
        (0..shape.height).flat_map(|y| (0..shape.width).flat_map(move |x| (0..shape.channels).map(move |c| (y, x, c))))
    {
        for (ky, kx) in (0..convolution.kernel_height).flat_map(|a| (0..convolution.kernel_width).map(move |b| (a, b)))
        {
            let (top, left) = ((y + convolution.padding).wrapping_sub(ky), (x + convolution.padding).wrapping_sub(kx));
            let (row, column) = (top / convolution.stride, left / convolution.stride);
            let whole = top.is_multiple_of(convolution.stride) && left.is_multiple_of(convolution.stride);
            if whole && row < windows.height && column < windows.width {
                for o in 0..layer.outputs() {
                    let weight = layer.weights[[o, (ky * convolution.kernel_width + kx) * shape.channels + c]];
                    sums[windows.at(row, column, o)] += i32::from(weight) * i32::from(map[shape.at(y, x, c)]);
                }
            }
        }
    }
    sums
}

proptest! {
    #[test]
    fn a_convolution_is_what_its_inputs_scatter(
        (height, width, channels) in (1usize..8, 1usize..8, 1usize..4),
        (kernel_height, kernel_width, stride, padding) in (1usize..5, 1usize..5, 1usize..4, 0usize..3),
        outputs in 1usize..5,
        seed in any::<u64>(),
    ) {
        let input = MapShape { height, width, channels };
        prop_assume!(kernel_height <= height + 2 * padding && kernel_width <= width + 2 * padding);
        let convolution = Convolution { input, kernel_height, kernel_width, stride, padding };
        let mut state = seed;
        let mut draw = move || { state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (state >> 33) as usize };
        let weights = Array2::from_shape_fn((outputs, convolution.window_inputs()), |_| (draw() % 16) as i8 - 8);
        let map: Vec<u8> = (0..input.codes()).map(|_| (draw() % 16) as u8).collect();
        let layer = Layer { geometry: Geometry::Convolution(convolution), ..plain(weights, 4, 4) };
        prop_assert_eq!(layer.evaluate(&map).sums, scattered(&layer, &convolution, &map));
    }
}
