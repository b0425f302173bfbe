import java.math.BigInteger
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.PrivateKey
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.time.Duration
import java.time.Instant
import java.util.Base64
import javax.net.ssl.SSLContext
import uniffi.healthid_wallet.Binding
import uniffi.healthid_wallet.Consent
import uniffi.healthid_wallet.DeviceRecord
import uniffi.healthid_wallet.Login
import uniffi.healthid_wallet.Request
import uniffi.healthid_wallet.Told
import uniffi.healthid_wallet.Want
import uniffi.healthid_wallet.cardMessage
import uniffi.healthid_wallet.cardResponse

fun base64url(data: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(data)

/** 32 bytes, big-endian. */
fun BigInteger.coordinate(): ByteArray = toByteArray().let { bytes -> ByteArray(maxOf(0, 32 - bytes.size)) + bytes.takeLast(32) }

/** A health card. A real app talks to one over NFC, after its PIN. */
class Card(private val certificate: ByteArray, private val sign: (ByteArray) -> ByteArray) {
    fun answer(challenge: String): String {
        val message = cardMessage(challenge, certificate)
        return cardResponse(message, base64url(sign(message.toByteArray())))
    }
}

/**
 * One insurer's app on one phone: sockets, clock, keys and card are this class's, the protocol is the wallet core's. What a real app does
 * differently stands in the methods that say so.
 */
class App(private val issuer: String, tls: SSLContext, private val card: Card) {
    private val client = HttpClient.newBuilder().sslContext(tls).connectTimeout(Duration.ofSeconds(10)).build()
    private var key: KeyPair? = null
    var record: DeviceRecord? = null
        private set
    /** What a person would have been shown. */
    val requests = mutableListOf<Request>()
    val consents = mutableListOf<Consent>()

    /** Follows no redirect. A real app also tries again where the network fails. */
    private fun send(want: Want.Send): Told {
        val publisher = want.body?.let(HttpRequest.BodyPublishers::ofString) ?: HttpRequest.BodyPublishers.noBody()
        val request = HttpRequest.newBuilder(URI(want.url)).method(want.method, publisher)
            .header("Accept", "application/json").header("Content-Type", "application/json").build()
        val answer = client.send(request, HttpResponse.BodyHandlers.ofString())
        return Told.Answer(answer.statusCode().toUShort(), answer.body())
    }

    /** A real app makes it in the key store, in hardware, locked to PIN or biometry. */
    fun makeKey(): Told {
        val generator = KeyPairGenerator.getInstance("EC")
        generator.initialize(ECGenParameterSpec("secp256r1"))
        val made = generator.generateKeyPair()
        key = made
        val point = (made.public as ECPublicKey).w
        return Told.KeyMade(base64url(point.affineX.coordinate()), base64url(point.affineY.coordinate()), null)
    }

    private fun sign(message: String): Told {
        val signature = Signature.getInstance("SHA256withECDSAinP1363Format")
        signature.initSign(checkNotNull(key).private as PrivateKey)
        signature.update(message.toByteArray())
        return Told.Signed(base64url(signature.sign()))
    }

    /** A real app writes it down before it goes on. */
    private fun keep(record: DeviceRecord) {
        this.record = record
    }

    /** A real app shows who asks for what. */
    private fun choose(request: Request): Told {
        requests += request
        return record?.let { Told.WithDevice(it) } ?: Told.WithCard
    }

    /** A real app shows a switch for each voluntary claim. */
    private fun decide(consent: Consent): Told {
        consents += consent
        return Told.Approve(consent.voluntary, false, null)
    }

    private fun perform(want: Want): Told = when (want) {
        is Want.Send -> send(want)
        is Want.Choose -> choose(want.request)
        is Want.SignWithCard -> Told.CardAnswered(card.answer(want.challenge))
        is Want.SignWithDevice -> {
            keep(checkNotNull(record).copy(counter = want.counter))
            sign(want.message)
        }
        is Want.MakeKey -> makeKey()
        is Want.SignWithNewKey -> sign(want.message)
        is Want.Decide -> decide(want.consent)
        // This phone has a key of its own.
        is Want.SignWithPasskey, is Want.MakePasskey -> error("not asked for")
        is Want.GoBack, is Want.Done, is Want.Keep -> error("nothing to do")
    }

    private fun now(): ULong = Instant.now().epochSecond.toULong()

    /** From the address a service sent the person to, to the address she goes back to. */
    fun logIn(authorizationUrl: String): String = Login.open(issuer, authorizationUrl).use { login ->
        var want = login.want()
        while (want !is Want.GoBack) want = login.tell(perform(want), now())
        want.address
    }

    /** Binds this phone by one login with the card. */
    fun enrol(name: String, deviceClass: String) = Login.account(issuer).use { login ->
        var want = login.want()
        while (want !is Want.Decide) want = login.tell(perform(want), now())
        Binding.begin(login, name, deviceClass, true, null).use { binding ->
            var next = binding.want()
            while (next !is Want.Keep) next = binding.tell(perform(next))
            keep(next.record)
        }
    }
}
