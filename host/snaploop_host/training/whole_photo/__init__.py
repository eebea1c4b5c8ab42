"""What the tasks share that say something of a photo as a whole: classify, multilabel, embed.

Photos are stretched to the model input as on the board, the network is ours or timm's mobilenetv2_100 with one linear layer on top,
and its raw outputs leave the kmodel: soft-max, sigmoid and cosine are computed outside, in float. A task is a subclass of
`base.WholePhotoTask`.
"""
