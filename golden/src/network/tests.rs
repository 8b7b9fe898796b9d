use super::file::{METADATA_KEY, f32_tensor, f64_tensor, i8_tensor, pack};
use super::*;
use proptest::prelude::*;

fn layer() -> Layer {
    Layer {
        geometry: Geometry::Dense,
        activation: None,
        pool: None,
        weights: Array2::from_shape_fn((3, 8), |(o, i)| ((o * 8 + i) % 8) as i8 - 4),
        biases: vec![3, -4, 0],
        weight_bits: 3,
        input_bits: 3,
        bias_code: 5,
        scale_factor: Some(0.3425),
        float: Some(FloatLayer {
            weights: Array2::from_shape_fn((3, 8), |(o, i)| (o as f32 - i as f32) / 7.0),
            biases: vec![0.1, -0.2, 0.3],
        }),
    }
}

fn network() -> Network {
    let provenance = Provenance {
        data_set: "digits".into(),
        data_sha256: "00ff".into(),
        seed: u64::MAX,
        command: "bitline train".into(),
        version: "0.1.0".into(),
        commit: None,
        scale_factor_choice: Some("training images".into()),
    };
    let record = |epoch| EpochRecord {
        epoch,
        train_loss: 1.0 / epoch as f64,
        test_loss: 0.1 + 0.2,
        train_correct: 10 * epoch,
        test_correct: 3,
    };
    Network { name: "small".into(), layers: vec![layer()], provenance, history: (1..=4).map(record).collect() }
}

fn tiny() -> Machine {
    Machine::named("tiny").unwrap()
}

fn refused(edit: impl Fn(&mut Network)) -> String {
    let mut network = network();
    edit(&mut network);
    let error = network.check().unwrap_err();
    // The reader refuses what the checker refuses, in the same words, unless the file cannot even express it.
    if network.layers.iter().all(|l| l.biases.len() == l.outputs()) && !matches!(error, NetworkError::Shape { .. }) {
        assert_eq!(Network::from_bytes("f", &network.to_bytes()).unwrap_err(), error);
    }
    assert_eq!(network.save("/nonexistent/f").unwrap_err(), error);
    error.to_string()
}

/// The bytes of a good network whose metadata text went through `edit`.
fn with_metadata(edit: impl Fn(String) -> String) -> Vec<u8> {
    let bytes = Network { history: Vec::new(), layers: vec![Layer { float: None, ..layer() }], ..network() }.to_bytes();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let text = header.metadata().as_ref().unwrap()[METADATA_KEY].clone();
    let edited = edit(text.clone());
    assert_ne!(edited, text, "the edit must change something");
    let layer = layer();
    let tensors = [
        i8_tensor("layers.0.weights", &[3, 8], layer.weights.iter().copied()),
        i8_tensor("layers.0.biases", &[3], layer.biases.iter().copied()),
    ];
    pack(&tensors, METADATA_KEY, edited)
}

fn read_error(bytes: &[u8]) -> String {
    Network::from_bytes("f", bytes).unwrap_err().to_string()
}

#[test]
fn file_gives_back_the_network_and_the_same_bytes() {
    let network = network();
    let bytes = network.to_bytes();
    assert_eq!(Network::from_bytes("f", &bytes).unwrap(), network);
    assert!((0..20).all(|_| network.to_bytes() == bytes));
}

#[test]
fn save_and_load_go_through_a_path() {
    let path = std::env::temp_dir().join(format!("bitline-network-{}.safetensors", std::process::id()));
    network().save(&path).unwrap();
    assert_eq!(Network::load(&path).unwrap(), network());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn missing_and_unwritable_files_are_refused() {
    assert_eq!(
        Network::load("/nonexistent/f").unwrap_err().to_string(),
        "/nonexistent/f cannot be read: No such file or directory (os error 2); check the path and its permissions"
    );
    assert_eq!(
        network().save("/nonexistent/f").unwrap_err().to_string(),
        "/nonexistent/f cannot be written: No such file or directory (os error 2); check the path and its permissions"
    );
}

#[test]
fn file_cut_anywhere_is_refused() {
    let bytes = network().to_bytes();
    for length in 0..bytes.len() {
        let error = Network::from_bytes("f", &bytes[..length]).unwrap_err();
        assert!(matches!(error, NetworkError::Container { .. }), "{length}: {error}");
    }
    let message = read_error(&bytes[..bytes.len() - 1]);
    assert!(message.starts_with("f is not a complete safetensors file: "), "{message}");
    assert!(message.ends_with("; it is cut short or damaged, write it again"), "{message}");
}

#[test]
fn file_of_something_else_is_refused() {
    assert_eq!(
        read_error(&pack(&[], "other", "{}".into())),
        "f has no \"bitline.network\" in its safetensors metadata, so it is not a network; make one with `bitline train`"
    );
}

#[test]
fn metadata_faults_are_refused() {
    let message = read_error(&with_metadata(|text| text[1..].to_string()));
    assert!(message.starts_with("f: the metadata does not parse: "), "{message}");
    assert!(message.ends_with("; write the file again with this version"), "{message}");
    assert_eq!(
        read_error(&with_metadata(|text| text.replace("\"format_version\":1", "\"format_version\":2"))),
        "f has format version 2, this build reads 1; use the matching build or write it again"
    );
    for field in ["format_version", "name", "layers", "provenance", "epochs", "inputs", "weight_bits", "data_sha256"] {
        let message = read_error(&with_metadata(|text| text.replace(&format!("\"{field}\""), "\"other\"")));
        assert!(
            message.contains(&format!("missing field `{field}`")) || message.contains("unknown field `other`"),
            "{message}"
        );
    }
    assert_eq!(
        read_error(&with_metadata(|text| text.replace("dense", "recurrent"))),
        "f: layer 0 is of kind \"recurrent\", this build knows \"dense\" and \"convolution\"; use a newer build"
    );
    assert!(read_error(&with_metadata(|text| text.replace("dense", "convolution"))).contains("`convolution` disagree"));
}

#[test]
fn tensor_faults_are_refused() {
    assert_eq!(
        read_error(&with_metadata(|text| text.replace("\"inputs\":8", "\"inputs\":9"))),
        "f: tensor \"layers.0.weights\" has shape [3, 8], the metadata says [3, 9]; correct one of them"
    );
    assert_eq!(
        read_error(&with_metadata(|text| text.replace("\"float\":false", "\"float\":true"))),
        "f has no tensor \"layers.0.float_weights\", its metadata calls for one; the file is incomplete, write it again"
    );
    let repack = |tensors: &[file::OwnedTensor]| {
        let bytes = with_metadata(|text| text.replace("small", "other"));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        pack(tensors, METADATA_KEY, header.metadata().as_ref().unwrap()[METADATA_KEY].clone())
    };
    let weights = || i8_tensor("layers.0.weights", &[3, 8], layer().weights.iter().copied().collect::<Vec<_>>());
    let biases = || i8_tensor("layers.0.biases", &[3], layer().biases);
    assert_eq!(
        read_error(&repack(&[weights(), biases(), i8_tensor("extra", &[1], [0])])),
        "f has a tensor \"extra\" that the format does not know; remove it, or use a newer build"
    );
    assert_eq!(
        read_error(&repack(&[weights(), f32_tensor("layers.0.biases", &[3], [0.0; 3])])),
        "f: tensor \"layers.0.biases\" holds F32, must hold I8; convert it"
    );
}

#[test]
fn floats_that_are_not_finite_are_refused() {
    let mut network = network();
    network.layers[0].float.as_mut().unwrap().biases[2] = f32::NAN;
    assert_eq!(
        read_error(&network.to_bytes()),
        "f: tensor \"layers.0.float_biases\" element 2 is NaN, must be finite; train again with a smaller step"
    );
    let bytes = pack(&[f64_tensor("t", &[2], [1.0, f64::INFINITY])], METADATA_KEY, "{}".into());
    let mut reader = file::Reader::new("f", &bytes, METADATA_KEY, "network").unwrap();
    assert!(reader.f64("t", &[2]).unwrap_err().to_string().contains("element 1 is inf"));
}

#[test]
fn layer_faults_are_refused() {
    assert_eq!(
        refused(|n| n.layers.clear()),
        "network small has no layers, must have at least one; make one with `bitline train`"
    );
    assert_eq!(
        refused(|n| n.layers[0].weight_bits = 9),
        "network small layer 0: weight_bits is 9, must be 1..=8; split wider weights over several outputs"
    );
    assert_eq!(
        refused(|n| n.layers[0].input_bits = 0),
        "network small layer 0: input_bits is 0, must be 1..=8; requantize the inputs"
    );
    assert_eq!(
        refused(|n| n.layers[0].bias_code = 8),
        "network small layer 0: bias_code is 8, must be 0..=7; raise input_bits"
    );
    assert_eq!(
        refused(|n| n.layers[0].scale_factor = Some(-0.5)),
        "network small layer 0: scale_factor is -0.5, must be finite and above 0; choose the scale factor again"
    );
    assert_eq!(
        refused(|n| n.layers[0].biases.push(0)),
        "network small layer 0: biases has shape [4], must have [3]; correct one of them"
    );
    assert!(refused(|n| n.layers[0].float.as_mut().unwrap().biases.clear()).contains("float biases has shape [0]"));
    assert!(refused(|n| n.layers[0].float.as_mut().unwrap().weights = Array2::zeros((8, 3))).contains("float weights"));
    assert!(
        refused(|n| n.layers[0] = Layer { weights: Array2::zeros((3, 0)), float: None, ..layer() })
            .contains("inputs is 0")
    );
}

#[test]
fn weights_out_of_range_are_refused() {
    assert_eq!(
        refused(|n| n.layers[0].weights[[1, 2]] = 4),
        "network small layer 0: weight of output 1, row 2, is 4, 3-bit weights are -4..=3; \
         quantize again or raise weight_bits"
    );
    assert_eq!(
        refused(|n| n.layers[0].biases[2] = -5),
        "network small layer 0: bias of output 2, row 8, is -5, 3-bit weights are -4..=3; \
         quantize again or raise weight_bits"
    );
    let binary = |n: &mut Network| {
        n.layers[0].weight_bits = 1;
        n.layers[0].weights.mapv_inplace(|w| if w < 0 { -1 } else { 1 });
        n.layers[0].biases = vec![1, -1, 1];
    };
    let mut good = network();
    binary(&mut good);
    good.check().unwrap();
    good.layers[0].biases = vec![0; 3];
    good.check().unwrap();
    assert!(
        refused(|n| {
            binary(n);
            n.layers[0].weights[[0, 0]] = 0
        })
        .contains("is 0, 1-bit weights are -1 or 1")
    );
    assert!(
        refused(|n| {
            binary(n);
            n.layers[0].biases[1] = 0
        })
        .contains("bias of output 1, row 8, is 0")
    );
}

#[test]
fn weight_range_is_twos_complement() {
    assert_eq!(weight_range(4), -8..=7);
    assert_eq!(weight_range(8), -128..=127);
    assert_eq!(weight_range(2), -2..=1);
}

#[test]
fn network_fits_a_machine_of_its_size() {
    network().check_fits(&tiny()).unwrap();
    network().check_fits(&Machine { weight_bits: 4, input_bits: 4, ..tiny() }).unwrap();
}

#[test]
fn network_that_does_not_fit_is_refused_with_the_numbers() {
    let fit = |edit: &dyn Fn(&mut Machine)| {
        let mut machine = tiny();
        edit(&mut machine);
        network().check_fits(&machine).unwrap_err().to_string()
    };
    let other = "choose the machine that the network was trained for";
    assert_eq!(fit(&|m| m.rows = 65), format!("network small layer 0 has 8 inputs, machine tiny has 64; {other}"));
    assert_eq!(fit(&|m| m.outputs = 4), format!("network small layer 0 has 3 outputs, machine tiny has 4; {other}"));
    assert_eq!(
        fit(&|m| m.weight_bits = 2),
        "network small layer 0 has 3 bits a weight, machine tiny has 2; quantize again with fewer bits"
    );
    assert_eq!(
        fit(&|m| m.input_bits = 2),
        "network small layer 0 has 3 bits an input, machine tiny has 2; requantize the inputs"
    );
    assert_eq!(
        fit(&|m| (m.rows, m.bias_rows) = (8, 0)),
        "network small layer 0 has 1 bias rows, machine tiny has 0; give the machine a bias row"
    );
    assert_eq!(
        fit(&|m| m.bias_code = 4),
        "network small layer 0 has biases for a row driven by 5, machine tiny drives it by 4; \
         quantize again for this machine"
    );
    let mut deep = network();
    deep.layers[0].activation = Some(Activation { bits: 3, thresholds: Array2::zeros((3, 7)) });
    deep.layers.push(Layer { weights: Array2::zeros((3, 3)), float: None, ..layer() });
    assert_eq!(
        deep.check_fits(&tiny()).unwrap_err().to_string(),
        "network small has 2 layers, machine tiny runs 1; use a machine with a program"
    );
}

#[test]
fn binary_machine_needs_a_bias_for_every_driven_bias_row() {
    let mut network = network();
    network.layers[0].weight_bits = 1;
    network.layers[0].weights.fill(1);
    network.layers[0].biases = vec![1; 3];
    let machine = Machine { weight_bits: 1, column_lanes: 1, rows: 10, bias_rows: 2, ..tiny() };
    assert_eq!(
        network.check_fits(&machine).unwrap_err().to_string(),
        "network small layer 0 has 1 bias rows, machine tiny has 2; \
         a one-bit array cannot store 0; give the machine as many bias rows as the network"
    );
    network.check_fits(&Machine { rows: 9, bias_rows: 1, ..machine }).unwrap();
}

#[test]
fn array_weights_put_biases_in_the_first_bias_row() {
    let layer = layer();
    let machine = Machine { rows: 11, bias_rows: 3, ..tiny() };
    let array = layer.array_weights(&machine).unwrap();
    assert_eq!(array.dim(), (3, 11));
    assert_eq!(array.slice(ndarray::s![.., ..8]), layer.weights);
    assert_eq!(array.column(8).to_vec(), layer.biases);
    assert!(array.slice(ndarray::s![.., 9..]).iter().all(|w| *w == 0));
    let error = layer.array_weights(&Machine { outputs: 2, ..tiny() }).unwrap_err();
    assert!(matches!(error, NetworkError::Fit { quantity: "outputs", found: 3, limit: 2, .. }), "{error}");
}

#[test]
fn array_weights_without_bias_rows_are_the_weights() {
    let layer = Layer { biases: vec![0; 3], ..layer() };
    let machine = Machine { rows: 8, bias_rows: 0, ..tiny() };
    assert_eq!(layer.array_weights(&machine).unwrap(), layer.weights);
}

proptest! {
    #[test]
    fn outputs_are_the_array_times_the_driven_rows(
        weights in prop::collection::vec(-4i8..=3, 24),
        biases in prop::collection::vec(-4i8..=3, 3),
        codes in prop::collection::vec(0u8..8, 16),
        bias_rows in 1usize..4,
    ) {
        let weights = Array2::from_shape_vec((3, 8), weights).unwrap();
        let layer = Layer { weights, biases, float: None, ..layer() };
        let machine = Machine { rows: 8 + bias_rows, bias_rows, ..tiny() };
        let array = layer.array_weights(&machine).unwrap().mapv(i32::from);
        let codes = Array2::from_shape_vec((2, 8), codes).unwrap();
        let mut driven = Array2::from_elem((2, machine.rows), machine.bias_code as i32);
        driven.slice_mut(ndarray::s![.., ..8]).assign(&codes.mapv(i32::from));
        prop_assert_eq!(layer.outputs_of(codes.view()), driven.dot(&array.t()));
    }

    #[test]
    fn damaged_bytes_never_panic(at in 0usize..4000, flip in 1u8..=255) {
        let mut bytes = network().to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        if let Ok(read) = Network::from_bytes("f", &bytes) {
            read.check().unwrap();
        }
    }
}
