"""The keys of a node on a serial link, as text."""

from edgelite import link_keys
from edgelite.driver import ConfigurationError

GOOD = "sender_id = Fw8J3g==\nrecipient_id =\nmaster_secret = AAECAwQFBgcICQoLDA0ODw==\nmaster_salt = nnyoRtrQ6uM=\n"


def test_good():
    keys = link_keys.parse(GOOD)
    assert keys.sender_id == b"\x17\x0f\x09\xde" and keys.recipient_id == b""
    assert keys.master_secret == bytes(range(16)) and len(keys.master_salt) == 8


def test_bad_text_is_named_and_shows_no_secret():
    rows = (
        ("", "lacks"),
        (GOOD.replace("sender_id", "sender"), "line 1"),
        (GOOD + "sender_id = AA==\n", "line 5"),
        (GOOD.replace("Fw8J3g==", "@@@"), "line 1"),
        (GOOD.replace("AAECAwQFBgcICQoLDA0ODw==", "AAECAw=="), "16 bytes"),
        (GOOD.replace("recipient_id =", "recipient_id = Fw8J3g=="), "different ids"),
        (GOOD.replace("Fw8J3g==", "AAECAwQFBgcI"), "7 bytes"),
        (GOOD.replace("Fw8J3g==", "Fw8J3g="), "line 1"),
        (GOOD.replace("Fw8J3g==", "\xfc"), "line 1"),
        ("nonsense\n" + GOOD, "line 1"),
    )
    for text, words in rows:
        try:
            link_keys.parse(text)
        except ConfigurationError as error:
            assert words in str(error), (text, str(error))
            assert "AAECAw" not in str(error)
            continue
        raise AssertionError(text)
