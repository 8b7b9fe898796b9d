# Two layers on the machine `tiny-deep`: a 3 x 3 convolution over a 10 x 10 image with two channels, pooled by squares of
# 2 x 2 windows, then a 3 x 3 convolution with a border of 0 on its result, ranked at one place.
window image=1 pitch=20 segments=3 codes=6 step_x=2 step_y=20               # a window is three runs of 3 x 2 codes
tiles first=0 row_groups=3 output_groups=2 outputs=4 columns=4 planes=4     # 18 rows on tiles of 8, 4 outputs on 2
thresholds first=0 bits=2                                                   # three thresholds an output
pool size=2 step_x=4 step_y=40                                              # 8 x 8 windows are 4 x 4 squares
fill to=0 codes=144                                                         # 6 x 6 pixels of 4 channels, all 0
output base=28 step_x=4 step_y=24                                           # inside that border
read wide=4 high=4
count layer=0
window base=0 pitch=24 segments=3 codes=12 bias=3                           # the top left window, and a row of biases
tiles first=6 row_groups=5 output_groups=4 outputs=4 columns=8 planes=2     # 37 rows; eight columns an output
classify
count layer=1
halt
