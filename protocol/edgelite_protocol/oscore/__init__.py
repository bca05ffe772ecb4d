"""OSCORE (RFC 8613) with AES-CCM-16-64-128 and HKDF-SHA-256: protection end to end, across a gateway that needs no
trust.

ciphers    AES-128 as the platform has it, in Python where it has none
ccm        AES-CCM (RFC 3610)
hkdf       HMAC and HKDF over SHA-256 (RFC 2104, RFC 5869)
context    security contexts, nonces, requests
responses  the other half, which edgelite's sessions have no need of
ends       how a session lies on it (protocol/SPEC.md, section 16)
"""
