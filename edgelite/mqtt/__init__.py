"""The local bus on a broker: an MQTT client without I/O around umqtt, and the bridge between both (docs/mqtt.md)."""
