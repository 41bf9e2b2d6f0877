# SPDX-License-Identifier: GPL-2.0
"""An MQTT broker of a test, and devices that are its clients, by libmosquitto."""
import ctypes
import os
import signal
import subprocess
import threading

from stage import PATIENCE, free_port, is_listening, wait_for

# As Documentation/coordinator.rst has it: who logs in is who publishes, below their own level.
ACL = """
user hub
topic read devices/+/request/#
topic write devices/+/response/#
pattern write devices/%c/request/#
pattern read devices/%c/response/#
"""
# A hub that could speak to itself.
LOOP = """
user hub
topic readwrite loop/+/#
pattern write loop/%c/#
"""
V311, V5 = 4, 5
CORRELATION_DATA, RESPONSE_TOPIC, SESSION_EXPIRY, USER_PROPERTY = 9, 8, 17, 38
LIBRARY = ctypes.CDLL("libmosquitto.so.1")
LIBRARY.mosquitto_new.restype = ctypes.c_void_p
LIBRARY.mosquitto_property_read_binary.restype = ctypes.c_void_p
LIBRARY.mosquitto_property_read_string_pair.restype = ctypes.c_void_p
LIBRARY.mosquitto_lib_init()


class Message(ctypes.Structure):
    _fields_ = [("mid", ctypes.c_int), ("topic", ctypes.c_char_p), ("payload", ctypes.c_void_p),
                ("payloadlen", ctypes.c_int), ("qos", ctypes.c_int), ("retain", ctypes.c_bool)]


ON_CONNECT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
ON_SUBSCRIBE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int,
                                ctypes.c_void_p, ctypes.c_void_p)
ON_PUBLISH = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
ON_DISCONNECT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
ON_MESSAGE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(Message), ctypes.c_void_p)


class Broker:
    """Keeps its sessions over kill(), and says in its log what it sends and gets."""

    def __init__(self, work, users, more=""):
        self.work, self.port, self.users = work, free_port(), users
        os.chmod(work, 0o777)
        with open(f"{work}/acl", "w") as file:
            file.write(ACL + LOOP)
        with open(f"{work}/passwords", "w") as file:
            file.write("".join(f"{user}:secret of {user}\n" for user in users))
        subprocess.run(["mosquitto_passwd", "-U", f"{work}/passwords"], check=True)
        with open(f"{work}/mosquitto.conf", "w") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous false\nuse_username_as_clientid true\n"
                       f"password_file {work}/passwords\nacl_file {work}/acl\nuser root\nlog_type all\n"
                       f"persistence true\npersistence_location {work}/\nautosave_on_changes true\n"
                       f"autosave_interval 1\nlog_dest file {work}/broker.log\n{more}")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", f"{self.work}/mosquitto.conf"],
                                        stderr=subprocess.DEVNULL)
        wait_for("the broker listens", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the broker ended: {self.log()}")
        return is_listening(self.port)

    def log(self):
        return open(f"{self.work}/broker.log").read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def login(self, user):
        """A file for --mqtt-login."""
        path = f"{self.work}/login.{user}"
        with open(path, "w") as file:
            file.write(f"{user}:secret of {user}\n")
        return path


class Answer:
    def __init__(self, message, properties):
        self.topic = message.topic.decode()
        self.body = ctypes.string_at(message.payload, message.payloadlen) if message.payloadlen else b""
        self.correlation, self.user = None, {}
        value, length = ctypes.c_void_p(), ctypes.c_uint16()
        if LIBRARY.mosquitto_property_read_binary(ctypes.c_void_p(properties), CORRELATION_DATA,
                                                  ctypes.byref(value), ctypes.byref(length), False):
            self.correlation = ctypes.string_at(value, length.value)
        at, again = ctypes.c_void_p(properties), False
        name, text = ctypes.c_char_p(), ctypes.c_char_p()
        while at.value:
            at = ctypes.c_void_p(LIBRARY.mosquitto_property_read_string_pair(
                at, USER_PROPERTY, ctypes.byref(name), ctypes.byref(text), again))
            again = True
            if at.value:
                self.user[name.value.decode()] = text.value.decode()

    def json(self):
        import json
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.topic} {self.correlation} {self.user} {self.body[:200]}"


class Device:
    """Is subscribed to its responses from when it is made; comes back by itself."""

    def __init__(self, broker, name, version=V5, claims=None):
        self.name, self.answers, self.confirmed = name, [], {}
        self.subscribed, self.connected = threading.Event(), False
        self.client = ctypes.c_void_p(LIBRARY.mosquitto_new((claims or name).encode(), False, None))
        LIBRARY.mosquitto_int_option(self.client, 1, version)
        LIBRARY.mosquitto_username_pw_set(self.client, name.encode(), f"secret of {name}".encode())
        self.callbacks = ON_CONNECT(self.on_connect), ON_SUBSCRIBE(self.on_subscribe), \
            ON_PUBLISH(self.on_publish), ON_MESSAGE(self.on_message), ON_DISCONNECT(self.on_disconnect)
        LIBRARY.mosquitto_connect_v5_callback_set(self.client, self.callbacks[0])
        LIBRARY.mosquitto_subscribe_v5_callback_set(self.client, self.callbacks[1])
        LIBRARY.mosquitto_publish_v5_callback_set(self.client, self.callbacks[2])
        LIBRARY.mosquitto_message_v5_callback_set(self.client, self.callbacks[3])
        LIBRARY.mosquitto_disconnect_v5_callback_set(self.client, self.callbacks[4])
        properties = ctypes.c_void_p()
        if version == V5:
            LIBRARY.mosquitto_property_add_int32(ctypes.byref(properties), SESSION_EXPIRY, 3600)
        assert not LIBRARY.mosquitto_connect_bind_v5(self.client, b"127.0.0.1", broker.port, 60, None, properties)
        LIBRARY.mosquitto_loop_start(self.client)
        assert self.subscribed.wait(PATIENCE), name

    def on_connect(self, client, data, reason, flags, properties):
        if not reason:
            self.connected = True
            topic = f"devices/{self.name}/response/#".encode()
            LIBRARY.mosquitto_subscribe(self.client, None, topic, 1)

    def on_disconnect(self, client, data, reason, properties):
        self.connected = False

    def on_subscribe(self, client, data, mid, number, granted, properties):
        self.subscribed.set()

    def on_publish(self, client, data, mid, reason, properties):
        self.confirmed[mid] = reason

    def on_message(self, client, data, message, properties):
        self.answers.append(Answer(message.contents, properties))

    def publish(self, topic, body, response=None, correlation=None, retain=False):
        """At least once, when it is connected; returns what confirms it is called by."""
        mid, properties = ctypes.c_int(), ctypes.c_void_p()
        if response:
            LIBRARY.mosquitto_property_add_string(ctypes.byref(properties), RESPONSE_TOPIC, response.encode())
        if correlation:
            LIBRARY.mosquitto_property_add_binary(ctypes.byref(properties), CORRELATION_DATA, correlation,
                                                  len(correlation))
        wait_for("it is connected", lambda: self.connected)
        ret = LIBRARY.mosquitto_publish_v5(self.client, ctypes.byref(mid), topic.encode(), len(body), body, 1, retain,
                                           properties)
        # Without a connection the library keeps it for the next one.
        assert ret in (0, 4), ret
        return mid.value

    def sends(self, topic, body, **options):
        """Until the broker has it; returns what that said."""
        mid = self.publish(topic, body, **options)
        wait_for("the broker has it", lambda: mid in self.confirmed)
        return self.confirmed[mid]

    def ask(self, what, body, **options):
        """The next answer."""
        before = len(self.answers)
        self.sends(f"devices/{self.name}/request/{what}", body, **options)
        wait_for(f"{self.name} gets an answer", lambda: len(self.answers) > before)
        return self.answers[before]

    def close(self):
        LIBRARY.mosquitto_disconnect(self.client)
        LIBRARY.mosquitto_loop_stop(self.client, True)
