# The shipped network, 64 - 10 with a row of biases, on the machine `mnist`: one layer, whose sums are ranked.
# Its devices come from what `bitline compile networks/digits.safetensors --machine mnist` makes.
window image=1 pitch=64 codes=64 bias=16                                    # 8 x 8 pixels, and 16 is their 1.0
tiles first=0 row_groups=2 output_groups=3 outputs=10 columns=4 planes=5    # 65 rows, so two tiles under each other
classify
count layer=0
halt
