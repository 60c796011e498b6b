"""The accelerator's golden model: whole training steps in integers, as the hardware does them."""
