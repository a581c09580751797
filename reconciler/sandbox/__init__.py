"""An AWS to try things on: moto, served over loopback HTTP. Needs the extra `sandbox`."""
