"""Pure array functions of the networks: pooling, upsampling, cropping."""
