import java.math.BigInteger
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.time.Duration
import java.time.Instant
import java.util.Base64
import javax.net.ssl.SSLContext
import uniffi.healthid_wallet.Answer
import uniffi.healthid_wallet.Choice
import uniffi.healthid_wallet.Clock
import uniffi.healthid_wallet.Consent
import uniffi.healthid_wallet.Decision
import uniffi.healthid_wallet.DeviceRecord
import uniffi.healthid_wallet.End
import uniffi.healthid_wallet.Keystore
import uniffi.healthid_wallet.NewKey
import uniffi.healthid_wallet.Person
import uniffi.healthid_wallet.Request
import uniffi.healthid_wallet.Transport
import uniffi.healthid_wallet.Wallet
import uniffi.healthid_wallet.cardMessage
import uniffi.healthid_wallet.cardResponse

/** 32 bytes, big-endian. */
fun BigInteger.coordinate(): ByteArray = toByteArray().let { bytes -> ByteArray(maxOf(0, 32 - bytes.size)) + bytes.takeLast(32) }

/** HTTPS, no redirect followed. */
class Net(tls: SSLContext) : Transport {
    private val client = HttpClient.newBuilder().sslContext(tls).connectTimeout(Duration.ofSeconds(10)).build()

    override fun send(method: String, url: String, body: String?): Answer {
        val publisher = body?.let(HttpRequest.BodyPublishers::ofString) ?: HttpRequest.BodyPublishers.noBody()
        val request = HttpRequest.newBuilder(URI(url)).method(method, publisher).timeout(Duration.ofSeconds(10))
            .header("Accept", "application/json").header("Content-Type", "application/json").build()
        val answer = client.send(request, HttpResponse.BodyHandlers.ofString())
        return Answer(answer.statusCode().toUShort(), answer.body())
    }
}

/** A real app has its keys in the key store, in hardware, locked to PIN or biometry, and writes the rest down before it returns. */
class Keys : Keystore {
    private var key: KeyPair? = null
    private var made: KeyPair? = null
    var record: DeviceRecord? = null
        private set

    override fun load(): DeviceRecord? = record

    override fun count(counter: ULong) {
        record = checkNotNull(record).copy(counter = counter)
    }

    override fun sign(message: String): ByteArray = sign(message, checkNotNull(key))

    override fun makeKey(challenge: ByteArray): NewKey {
        val generator = KeyPairGenerator.getInstance("EC")
        generator.initialize(ECGenParameterSpec("secp256r1"))
        val point = generator.generateKeyPair().also { made = it }.let { it.public as ECPublicKey }.w
        return NewKey(point.affineX.coordinate(), point.affineY.coordinate(), null)
    }

    override fun signWithNewKey(message: String): ByteArray = sign(message, checkNotNull(made))

    override fun keep(record: DeviceRecord) {
        this.record = record
        key = checkNotNull(made)
    }

    private fun sign(message: String, pair: KeyPair): ByteArray = Signature.getInstance("SHA256withECDSAinP1363Format").run {
        initSign(pair.private)
        update(message.toByteArray())
        sign()
    }
}

/** A health card. A real app talks to one over NFC, after its PIN. */
class Card(val certificate: ByteArray, val sign: (ByteArray) -> ByteArray)

/** Somebody who approves everything, with her phone where it is bound. A real app shows who asks for what, and a switch for each voluntary claim. */
class Holder(private val card: Card) : Person {
    val requests = mutableListOf<Request>()
    val consents = mutableListOf<Consent>()

    override fun choose(request: Request, device: DeviceRecord?): Choice {
        requests += request
        return if (device == null) Choice.Card else Choice.Device
    }

    override fun holdCard(challenge: String): String {
        val message = cardMessage(challenge, card.certificate)
        return cardResponse(message, Base64.getUrlEncoder().withoutPadding().encodeToString(card.sign(message.toByteArray())))
    }

    override fun decide(consent: Consent): Decision {
        consents += consent
        return Decision.Approve(consent.voluntary, false, null)
    }
}

object SystemClock : Clock {
    override fun now(): ULong = Instant.now().epochSecond.toULong()
}

/** One insurer's app on one phone: four interfaces and the wallet core. */
class App(issuer: String, transport: Transport, card: Card) {
    val keys = Keys()
    val holder = Holder(card)
    val wallet = Wallet(issuer, transport, keys, SystemClock, holder)

    /** From the address a service sent the person to, to the address she goes back to. */
    fun logIn(authorizationUrl: String): String = wallet.approve(authorizationUrl).use { (it.run() as End.GoBack).address }

    /** Binds this phone by one login with the card. */
    fun enrol(name: String, deviceClass: String) = wallet.enrol(name, deviceClass, true, null).use { checkNotNull(it.run()) }
}
