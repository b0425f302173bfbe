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
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import javax.net.ssl.SSLContext
import uniffi.healthid_wallet.Answer
import uniffi.healthid_wallet.Asking
import uniffi.healthid_wallet.Choice
import uniffi.healthid_wallet.Clock
import uniffi.healthid_wallet.Compared
import uniffi.healthid_wallet.Consent
import uniffi.healthid_wallet.Decision
import uniffi.healthid_wallet.DeviceRecord
import uniffi.healthid_wallet.End
import uniffi.healthid_wallet.Keystore
import uniffi.healthid_wallet.NewKey
import uniffi.healthid_wallet.NewPhone
import uniffi.healthid_wallet.Offer
import uniffi.healthid_wallet.OldPhone
import uniffi.healthid_wallet.Person
import uniffi.healthid_wallet.Request
import uniffi.healthid_wallet.Shown
import uniffi.healthid_wallet.Transport
import uniffi.healthid_wallet.Unlock
import uniffi.healthid_wallet.WaitingRequest
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
    private var ticket: String? = null
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
        ticket = null
    }

    override fun ticket(): String? = ticket

    override fun keepTicket(ticket: String) {
        this.ticket = ticket
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

    /** The two digits she reads on another device's page and types. */
    var number: String? = null

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
        return Decision.Approve(consent.voluntary, false, number.takeIf { consent.otherDevice != null })
    }
}

/** What the old phone of a move shows. A real app draws the code black on white with its warning, for two or three seconds each time, and lets her type. */
class OldScreen : OldPhone {
    val offers = LinkedBlockingQueue<Offer>()
    val asked = LinkedBlockingQueue<Asking>()
    val typed = LinkedBlockingQueue<Compared>()

    override fun showOffer(offer: Offer): Shown {
        offers.put(offer)
        Thread.sleep(50)
        return Shown.Still
    }

    override fun compare(asking: Asking, expiresAt: ULong): Compared {
        asked.put(asking)
        return checkNotNull(typed.poll(20, TimeUnit.SECONDS))
    }
}

/** What the new phone shows: two digits. */
class NewScreen : NewPhone {
    val numbers = LinkedBlockingQueue<String>()

    override fun showNumber(number: String, expiresAt: ULong) {
        numbers.put(number)
        Thread.sleep(50)
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

    /** The logins that browsers sent to this phone, asked without her. A real app asks when it is opened, and every few seconds while she waits. */
    fun waiting(): List<WaitingRequest> = wallet.requests(Unlock.NEVER)

    /** A login that was begun on another device: that one goes on. */
    fun answer(clientId: String, login: String): End = wallet.resume(clientId, login).use { it.run() }

    /** Binds this phone by one login with the card. */
    fun enrol(name: String, deviceClass: String) = wallet.enrol(name, deviceClass, true, null).use { checkNotNull(it.run()) }
}
