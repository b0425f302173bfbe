import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.io.File
import java.io.IOException
import java.net.URI
import java.net.URLEncoder
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.security.KeyStore
import java.security.Signature
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo
import org.bouncycastle.cert.X509CertificateHolder
import org.bouncycastle.jce.provider.BouncyCastleProvider
import org.bouncycastle.openssl.PEMParser
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import uniffi.healthid_wallet.Answer
import uniffi.healthid_wallet.End
import uniffi.healthid_wallet.Login
import uniffi.healthid_wallet.Told
import uniffi.healthid_wallet.Transport
import uniffi.healthid_wallet.WalletException

/** A policyholder enrols and logs in with an app in Kotlin, at a real sandbox over real TLS. */
class AppTest {
    private val directory = File(System.getProperty("sandbox"))
    private val sandbox = JsonParser.parseString(File(directory, "sandbox.json").readText()).asJsonObject
    private val insurer = entry("insurers", "leuchtturm").get("issuer").asString
    private val pages = entry("services", "record").get("pages").asString
    private val tls = trusting(File(sandbox.get("ca").asString))
    private val app = App(insurer, Net(tls), card(File(System.getProperty("card"))))

    private fun entry(list: String, word: String): JsonObject =
        sandbox.getAsJsonArray(list).map { it.asJsonObject }.first { it.get("word").asString == word }

    private fun logIn(): String {
        val browser = Browser(pages, tls)
        return browser.open(app.logIn(browser.beginLogin(insurer)))
    }

    @Test
    fun `a person enrols with her card and logs in with her phone`() {
        app.enrol("Handy (Kotlin)", "software")
        for (login in 1UL..2UL) {
            assertTrue(logIn().contains("Lena"))
            assertEquals(login, app.keys.record?.counter)
        }
    }

    @Test
    fun `a person logs in with her card and the service knows her`() {
        assertTrue(logIn().contains("Lena"))
        assertTrue(app.holder.consents.single().essential.contains("urn:telematik:claims:id"))
    }

    @Test
    fun `a phone with another key is refused with a support code`() {
        app.enrol("Handy (Kotlin)", "software")
        app.keys.makeKey(ByteArray(32))
        app.keys.keep(checkNotNull(app.keys.record))
        val refused = assertThrows<WalletException.Again> { logIn() }
        assertEquals(403.toUShort(), refused.status)
        assertEquals("device-unknown", refused.reason)
        assertTrue(refused.supportCode!!.matches(Regex("[A-Z]{4}-[A-Z]{4}")), refused.supportCode)
    }

    @Test
    fun `a network that is gone stops a login and running again goes on`() {
        var gone = false
        val net = Net(tls)
        val unreliable = object : Transport {
            override fun send(method: String, url: String, body: String?): Answer =
                if (gone) throw IOException("no network") else net.send(method, url, body)
        }
        val app = App(insurer, unreliable, card(File(System.getProperty("card"))))
        app.enrol("Handy (Kotlin)", "software")
        val browser = Browser(pages, tls)
        app.wallet.approve(browser.beginLogin(insurer)).use { approval ->
            gone = true
            assertThrows<WalletException.Unreachable> { approval.run() }
            gone = false
            assertTrue(browser.open((approval.run() as End.GoBack).address).contains("Lena"))
        }
        assertEquals(1UL, app.keys.record?.counter)
    }

    @Test
    fun `what was not wanted is an error and changes nothing`() {
        Login.account(insurer).use { login ->
            val wanted = login.want()
            for (told in listOf(Told.WithCard, Told.Signed(""), Told.Decline)) {
                assertThrows<WalletException.Again> { login.tell(told, 0UL) }
                assertEquals(wanted, login.want())
            }
        }
        assertThrows<WalletException.Over> { Login.open(insurer, "https://example.org/") }
    }
}

/** The service's half: a person's browser at the demo service. */
private class Browser(private val pages: String, tls: SSLContext) {
    private val client = HttpClient.newBuilder().sslContext(tls).build()
    private val cookies = mutableMapOf<String, String>()

    private fun send(request: HttpRequest.Builder): HttpResponse<String> {
        if (cookies.isNotEmpty()) request.header("Cookie", cookies.map { "${it.key}=${it.value}" }.joinToString("; "))
        val answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString())
        for (cookie in answer.headers().allValues("Set-Cookie")) {
            val (name, value) = cookie.substringBefore(';').split('=', limit = 2)
            cookies[name] = value
        }
        return answer
    }

    /** The address at the insurer the service sends the person to. */
    fun beginLogin(issuer: String): String {
        val form = "idp=" + URLEncoder.encode(issuer, Charsets.UTF_8)
        val answer = send(
            HttpRequest.newBuilder(URI("$pages/login")).header("Origin", pages)
                .header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form)),
        )
        assertEquals(303, answer.statusCode(), answer.body())
        return answer.headers().firstValue("Location").get()
    }

    /** The page at the end of a few redirects. */
    fun open(address: String): String {
        var next = URI(address)
        repeat(5) {
            val answer = send(HttpRequest.newBuilder(next))
            val location = answer.headers().firstValue("Location")
            if (location.isEmpty) return answer.body()
            next = next.resolve(location.get())
        }
        error("too many redirects")
    }
}

private fun trusting(authorities: File): SSLContext {
    val store = KeyStore.getInstance(KeyStore.getDefaultType())
    store.load(null)
    val certificates = authorities.inputStream().use { CertificateFactory.getInstance("X.509").generateCertificates(it) }
    certificates.forEachIndexed { index, certificate -> store.setCertificateEntry("authority-$index", certificate as X509Certificate) }
    val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
    trust.init(store)
    return SSLContext.getInstance("TLS").apply { init(null, trust.trustManagers, null) }
}

private fun card(pem: File): Card {
    val provider = BouncyCastleProvider()
    pem.reader().use { reader ->
        val parser = PEMParser(reader)
        val key = JcaPEMKeyConverter().setProvider(provider).getPrivateKey(parser.readObject() as PrivateKeyInfo)
        val certificate = (parser.readObject() as X509CertificateHolder).encoded
        return Card(certificate) { message ->
            val signature = Signature.getInstance("SHA256withPLAIN-ECDSA", provider)
            signature.initSign(key)
            signature.update(message)
            signature.sign()
        }
    }
}
